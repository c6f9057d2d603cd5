"""Spheres with shadows and reflections: methods, operators, recursion."""

import math


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z

    def __add__(self, o):
        return Vector(self.x + o.x, self.y + o.y, self.z + o.z)

    def __sub__(self, o):
        return Vector(self.x - o.x, self.y - o.y, self.z - o.z)

    def __mul__(self, f):
        return Vector(self.x * f, self.y * f, self.z * f)

    def dot(self, o):
        return self.x * o.x + self.y * o.y + self.z * o.z

    def unit(self):
        return self * (1 / math.sqrt(self.dot(self)))

    def mirrored(self, normal):
        return self - normal * (2 * self.dot(normal))


class Sphere:
    def __init__(self, center, radius, color, shine):
        self.center, self.radius, self.color, self.shine = center, radius, color, shine

    def hit(self, origin, direction):
        to = self.center - origin
        along = to.dot(direction)
        rest = self.radius * self.radius - to.dot(to) + along * along
        if rest < 0:
            return None
        distance = along - math.sqrt(rest)
        return distance if distance > 1e-6 else None


class Scene:
    def __init__(self, things, light):
        self.things, self.light = things, light

    def nearest(self, origin, direction):
        best = None
        for thing in self.things:
            distance = thing.hit(origin, direction)
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, thing)
        return best

    def color(self, origin, direction, depth):
        found = self.nearest(origin, direction)
        if found is None:
            return 0.2 + 0.3 * max(0.0, direction.y)
        distance, thing = found
        at = origin + direction * distance
        normal = (at - thing.center).unit()
        to_light = (self.light - at).unit()
        shade = 0.1
        if self.nearest(at, to_light) is None:
            shade += max(0.0, normal.dot(to_light))
        value = thing.color * shade
        if depth > 0:
            value = value * (1 - thing.shine) + thing.shine * self.color(at, direction.mirrored(normal), depth - 1)
        return value


def main():
    things = [Sphere(Vector(0, -1000, 0), 999, 0.6, 0.1)]
    things += [Sphere(Vector(1.6 * math.cos(a), 0.2 * i, 4 + 1.6 * math.sin(a)), 0.6, 0.3 + 0.1 * i, 0.4) for i, a in enumerate([0, 1.3, 2.6, 3.9, 5.2])]
    scene = Scene(things, Vector(5, 8, -4))
    width, height = 84, 60
    total, brightest = 0.0, 0.0
    for y in range(height):
        for x in range(width):
            value = scene.color(Vector(0, 1, -2), Vector((x - width / 2) / width, (height / 2 - y) / width, 1).unit(), 2)
            total += value
            brightest = max(brightest, value)
    assert 0.1 < total / (width * height) < 1.0
    return [round(total, 6), round(brightest, 6)]


main()
