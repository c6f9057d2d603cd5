"""Queens on a board by permutations: generators, tuples, sets."""


def permutations(items, r):
    pool = tuple(items)
    n = len(pool)
    indices = list(range(n))
    cycles = list(range(n - r + 1, n + 1))[::-1]
    yield tuple(pool[i] for i in indices[:r])
    while n:
        for i in reversed(range(r)):
            cycles[i] -= 1
            if cycles[i] == 0:
                indices[i:] = indices[i + 1:] + indices[i:i + 1]
                cycles[i] = n - i
            else:
                j = cycles[i]
                indices[i], indices[-j] = indices[-j], indices[i]
                yield tuple(pool[i] for i in indices[:r])
                break
        else:
            return


def queens(n):
    columns = range(n)
    for rows in permutations(columns, n):
        if n == len({rows[i] + i for i in columns}) == len({rows[i] - i for i in columns}):
            yield rows


def main():
    found = list(queens(8))
    assert len(found) == 92, len(found)
    return [len(found), list(found[0])]


main()
