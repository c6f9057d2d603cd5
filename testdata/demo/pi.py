# Monte-Carlo pi: throws darts at a square, and draws which of them hit the
# circle, and how the estimate closes in.
import numpy as np
import matplotlib.pyplot as plt

darts = 200_000
x, y = np.random.default_rng().random((2, darts))
hit = x**2 + y**2 <= 1
estimate = 4 * np.cumsum(hit) / np.arange(1, darts + 1)

figure, (board, line) = plt.subplots(1, 2, figsize=(10, 4.5))
board.scatter(x[:4000], y[:4000], c=np.where(hit[:4000], "tab:blue", "tab:orange"), s=3)
board.set(title="4,000 darts", aspect="equal", xlim=(0, 1), ylim=(0, 1))
line.semilogx(np.arange(1, darts + 1)[::200], estimate[::200], label="estimate")
line.axhline(np.pi, color="tab:red", linewidth=1, label="π")
line.set(title="The estimate", xlabel="darts", ylabel="4 × hits / darts", ylim=(2.8, 3.5))
line.legend()
figure.tight_layout()
figure.savefig("/artifacts/pi.png", dpi=100)
figure.savefig("/artifacts/pi.svg")
plt.close(figure)

print(f"{darts:,} darts, {hit.sum():,} in the circle")
float(estimate[-1])
