// Floating point on objects: bodies that attract each other.
(() => {
  class Body {
    constructor(mass, x, y, z, vx, vy, vz) {
      Object.assign(this, { mass, x, y, z, vx, vy, vz });
    }
  }
  const bodies = [new Body(1000, 0, 0, 0, 0, 0, 0)];
  for (let i = 1; i <= 5; i++) {
    const speed = Math.sqrt(1000 / (i * 10));
    bodies.push(new Body(1 / i, i * 10 * Math.cos(i), i * 10 * Math.sin(i), i / 7, -speed * Math.sin(i), speed * Math.cos(i), 0));
  }
  const step = (dt) => {
    for (let i = 0; i < bodies.length; i++) {
      const a = bodies[i];
      for (let k = i + 1; k < bodies.length; k++) {
        const b = bodies[k];
        const dx = b.x - a.x, dy = b.y - a.y, dz = b.z - a.z;
        const square = dx * dx + dy * dy + dz * dz + 0.01;
        const force = dt / (square * Math.sqrt(square));
        a.vx += dx * b.mass * force;
        a.vy += dy * b.mass * force;
        a.vz += dz * b.mass * force;
        b.vx -= dx * a.mass * force;
        b.vy -= dy * a.mass * force;
        b.vz -= dz * a.mass * force;
      }
    }
    for (const body of bodies) {
      body.x += body.vx * dt;
      body.y += body.vy * dt;
      body.z += body.vz * dt;
    }
  };
  for (let i = 0; i < 3000; i++) step(0.001);
  return bodies.map((b) => b.x + b.y + b.z);
})()
