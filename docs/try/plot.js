// Pictures on canvases, and their axes.
const CIVIDIS = [[0, 34, 78], [65, 77, 107], [124, 123, 120], [188, 175, 111], [254, 232, 56]];

// The colour of a value in [0, 1].
export function cividis(value) {
  const place = Math.min(3.999, 4 * value), low = Math.floor(place), share = place - low;
  return CIVIDIS[low].map((x, k) => x + share * (CIVIDIS[low + 1][k] - x));
}

// One colour for each point, left to right and downwards.
export function paint(canvas, width, height, colour) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d"), pixels = context.createImageData(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) pixels.data.set([...colour(x, y), 255], 4 * (y * width + x));
  context.putImageData(pixels, 0, 0);
}

// The range of the samples under each column of pixels, from -1 to 1.
export function drawWave(canvas, wave) {
  const { width, height } = canvas, context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#0072b2";
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * wave.length) / width), to = Math.max(from + 1, Math.floor(((x + 1) * wave.length) / width));
    let [low, high] = [0, 0];
    for (let k = from; k < to; k++) [low, high] = [Math.min(low, wave[k]), Math.max(high, wave[k])];
    const top = ((1 - Math.min(1, high)) * height) / 2;
    context.fillRect(x, top, 1, Math.max(1, ((1 - Math.max(-1, low)) * height) / 2 - top));
  }
}

// Round values from `from` to `to`, about `count` of them.
function ticks(from, to, count) {
  const wanted = (to - from) / count, power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= wanted * (1 - 1e-9));
  const first = Math.ceil(from / step), last = Math.floor(to / step);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(6)));
}

function row(kind, side, { from, to }, count) {
  const line = Object.assign(document.createElement("span"), { className: kind });
  for (const value of ticks(from, to, count)) {
    const tick = Object.assign(document.createElement("span"), { textContent: value });
    tick.style[side] = `${(100 * (value - from)) / (to - from)}%`;
    line.append(tick);
  }
  return line;
}

// Axes as text of the page, which stays sharp at every size and has the colours of light and dark. Each of x and y: its name
// with the unit, and the values at the canvas's edges. The caption is what is read aloud.
export function drawAxes(canvas, x, y) {
  const name = (kind, { name }) => Object.assign(document.createElement("span"), { className: kind, textContent: name });
  const parts = [name("y-name", y), row("y-ticks", "bottom", y, 4), row("x-ticks", "left", x, 6), name("x-name", x)];
  for (const part of parts) part.setAttribute("aria-hidden", "true");
  canvas.parentElement.replaceChildren(parts[0], parts[1], canvas, parts[2], parts[3]);
}
