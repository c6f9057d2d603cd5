"""Digits of pi by a spigot: integers of thousands of bits."""


def digits(n):
    found = []
    q, r, t, k = 1, 0, 1, 0
    while len(found) < n:
        k += 1
        r = (2 * q + r) * (2 * k + 1)
        t *= 2 * k + 1
        q *= k
        if q > r:
            continue
        digit = (3 * q + r) // t
        if digit == (4 * q + r) // t:
            found.append(digit)
            q, r = 10 * q, 10 * (r - digit * t)
    return found


def main():
    found = digits(1400)
    assert "".join(map(str, found[:10])) == "3141592653"
    return "".join(map(str, found[-10:]))


main()
