"""Pancake flips over all permutations: small integers in lists, slices."""


def fannkuch(n):
    flips = sign = checksum = 0
    sign = 1
    order = list(range(n))
    count = list(range(1, n + 1))
    while True:
        first = order[0]
        if first:
            stack = order[:]
            k = 0
            while True:
                stack[:first + 1] = stack[first::-1]
                k += 1
                first = stack[0]
                if not first:
                    break
            if k > flips:
                flips = k
            checksum += sign * k
        if sign == 1:
            order[0], order[1] = order[1], order[0]
            sign = -1
            continue
        order[1], order[2] = order[2], order[1]
        sign = 1
        for i in range(2, n):
            count[i] -= 1
            if count[i]:
                break
            if i == n - 1:
                return flips, checksum
            count[i] = i + 1
            order.insert(i + 1, order.pop(0))


def main():
    flips, checksum = fannkuch(8)
    assert flips == 22 and checksum == 1616, (flips, checksum)
    return [flips, checksum]


main()
