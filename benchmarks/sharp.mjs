// Does what it is told with sharp: lines of {"input", "output", "operations": [[method, ...arguments], ...]} on stdin.
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.cache(false);
for await (const line of createInterface({ input: process.stdin })) {
  const { input, output, operations } = JSON.parse(line);
  let picture = sharp(input).autoOrient();
  for (const [method, ...told] of operations) picture = picture[method](...told);
  await picture.toFile(output);
}
