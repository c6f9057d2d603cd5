"""Random games on a board with captures: sets, recursion, attribute access."""

SIZE = 7


class Board:
    def __init__(self, seed):
        self.cells = [0] * (SIZE * SIZE)
        self.seed = seed
        self.captured = [0, 0, 0]

    def random(self, n):
        self.seed = (self.seed * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.seed >> 8) % n

    def group(self, start):
        color = self.cells[start]
        stones, liberties, todo = {start}, set(), [start]
        while todo:
            for n in NEIGHBOURS[todo.pop()]:
                cell = self.cells[n]
                if cell == 0:
                    liberties.add(n)
                elif cell == color and n not in stones:
                    stones.add(n)
                    todo.append(n)
        return stones, liberties

    def play(self, at, color):
        self.cells[at] = color
        for n in NEIGHBOURS[at]:
            if self.cells[n] == 3 - color:
                stones, liberties = self.group(n)
                if not liberties:
                    for s in stones:
                        self.cells[s] = 0
                    self.captured[color] += len(stones)
        if not self.group(at)[1]:
            self.cells[at] = 0
            return False
        return True

    def game(self):
        color, passes = 1, 0
        for _ in range(SIZE * SIZE * 2):
            free = [i for i, c in enumerate(self.cells) if c == 0]
            for _ in range(4):
                if free and self.play(free[self.random(len(free))], color):
                    passes = 0
                    break
            else:
                passes += 1
                if passes == 2:
                    break
            color = 3 - color
        return sum(1 if c == 1 else -1 if c == 2 else 0 for c in self.cells)


def neighbours(i):
    x, y = i % SIZE, i // SIZE
    return [b * SIZE + a for a, b in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)) if 0 <= a < SIZE and 0 <= b < SIZE]


NEIGHBOURS = [neighbours(i) for i in range(SIZE * SIZE)]


def main():
    score = captured = 0
    for seed in range(30):
        board = Board(seed)
        score += board.game()
        captured += sum(board.captured)
    assert captured > 500, captured
    return [score, captured]


main()
