"""A fractal by the chaos game on a spline: small objects with operators."""

import random


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        return Point(self.x - other.x, self.y - other.y)

    def scaled(self, by):
        return Point(self.x * by, self.y * by)

    def length(self):
        return (self.x * self.x + self.y * self.y) ** 0.5


class Spline:
    def __init__(self, points):
        self.points = points

    def at(self, u):
        points = self.points
        while len(points) > 1:
            points = [a + (b - a).scaled(u) for a, b in zip(points, points[1:])]
        return points[0]


def main():
    generator = random.Random(1234)
    splines = [Spline([Point(generator.random(), generator.random()) for _ in range(4)]) for _ in range(3)]
    size = 64
    image = [[0] * size for _ in range(size)]
    point = Point(0.5, 0.5)
    travelled = 0.0
    for _ in range(7_000):
        target = generator.choice(splines).at(point.x % 1.0)
        moved = (point + target).scaled(0.5)
        travelled += (moved - point).length()
        point = moved
        image[min(size - 1, int(point.y * size))][min(size - 1, int(point.x * size))] += 1
    assert sum(map(sum, image)) == 7_000
    return [round(travelled, 6), max(map(max, image))]


main()
