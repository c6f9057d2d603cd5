"""Five bodies under gravity: arithmetic on floats in lists."""

import math

SUN = 4 * math.pi * math.pi
YEAR = 365.24

# Position, velocity and mass of the sun and the outer planets.
BODIES = [
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], SUN],
    [[4.84143144246472090, -1.16032004402742839, -0.103622044471123109],
     [0.00166007664274403694 * YEAR, 0.00769901118419740425 * YEAR, -0.0000690460016972063023 * YEAR], 0.000954791938424326609 * SUN],
    [[8.34336671824457987, 4.12479856412430479, -0.403523417114321381],
     [-0.00276742510726411700 * YEAR, 0.00499852801234917238 * YEAR, 0.0000230417297573763929 * YEAR], 0.000285885980666130812 * SUN],
    [[12.8943695621391310, -15.1111514016986312, -0.223307578892655734],
     [0.00296460137564761618 * YEAR, 0.00237847173959480950 * YEAR, -0.0000296589568540237556 * YEAR], 0.0000436624404335156298 * SUN],
    [[15.3796971148509165, -25.9193146099879641, 0.179258772950371181],
     [0.00268067772490389322 * YEAR, 0.00162824170038242295 * YEAR, -0.0000951592254519715870 * YEAR], 0.0000515138902046611451 * SUN],
]


def energy(bodies):
    total = 0.0
    for i, (p, v, m) in enumerate(bodies):
        total += 0.5 * m * sum(x * x for x in v)
        for q, _, n in bodies[i + 1:]:
            total -= m * n / math.dist(p, q)
    return total


def advance(bodies, steps, dt):
    pairs = [(a, b) for i, a in enumerate(bodies) for b in bodies[i + 1:]]
    for _ in range(steps):
        for (p, v, m), (q, w, n) in pairs:
            dx, dy, dz = p[0] - q[0], p[1] - q[1], p[2] - q[2]
            f = dt * (dx * dx + dy * dy + dz * dz) ** -1.5
            g, h = f * n, f * m
            v[0] -= dx * g
            v[1] -= dy * g
            v[2] -= dz * g
            w[0] += dx * h
            w[1] += dy * h
            w[2] += dz * h
        for p, v, _ in bodies:
            p[0] += dt * v[0]
            p[1] += dt * v[1]
            p[2] += dt * v[2]


def main():
    for axis in range(3):
        BODIES[0][1][axis] = -sum(v[axis] * m for _, v, m in BODIES) / SUN
    before = energy(BODIES)
    advance(BODIES, 12_000, 0.001)
    assert abs(before + 0.169075164) < 1e-8, before
    return round(energy(BODIES), 9)


main()
