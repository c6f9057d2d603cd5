"""The largest singular value of an infinite matrix: generators and calls."""


def element(i, j):
    return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)


def times(u, n):
    return [sum(element(i, j) * u[j] for j in range(n)) for i in range(n)]


def transposed_times(u, n):
    return [sum(element(j, i) * u[j] for j in range(n)) for i in range(n)]


def main():
    n = 70
    u = [1.0] * n
    for _ in range(10):
        v = transposed_times(times(u, n), n)
        u = transposed_times(times(v, n), n)
    norm = (sum(a * b for a, b in zip(u, v)) / sum(b * b for b in v)) ** 0.5
    assert 1.27 < norm < 1.28, norm
    return round(norm, 9)


main()
