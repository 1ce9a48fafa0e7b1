// Run operations with sharp. Input: lines of {"input", "output", "operations": [[method, ...arguments], ...]} on standard input.
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.cache(false);
for await (const line of createInterface({ input: process.stdin })) {
  const { input, output, operations } = JSON.parse(line);
  let picture = sharp(input).autoOrient();
  for (const [method, ...parameters] of operations) picture = picture[method](...parameters);
  await picture.toFile(output);
}
