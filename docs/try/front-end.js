// From a sound to spikes, number for number as in Python: snn_synth.data.audio, snn_synth.data.frontends.mel,
// snn_synth.functional.encoding. A test in a browser compares the two.

const PAUSE = 20, SHORTEST = 8, EDGE = 15, BELOW = 14, OVER = 3; // in frames of 10 ms, dB, and times the background

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

// Discrete Fourier transform of any length, by its factors; in place of `re` and `im` it returns new ones.
function fourier(re, im) {
  const n = re.length;
  let p = 2;
  while (p < n && n % p) p++;
  if (n === 1) return [re, im];
  const m = n / p, parts = [];
  for (let r = 0; r < p; r++) {
    const a = new Float64Array(m), b = new Float64Array(m);
    for (let k = 0; k < m; k++) [a[k], b[k]] = [re[k * p + r], im[k * p + r]];
    parts.push(fourier(a, b));
  }
  const outRe = new Float64Array(n), outIm = new Float64Array(n), [cosine, sine] = circle(n);
  for (let k = 0; k < n; k++)
    for (let r = 0; r < p; r++) {
      const [a, b] = parts[r], turn = (k * r) % n, at = k % m;
      outRe[k] += a[at] * cosine[turn] + b[at] * sine[turn];
      outIm[k] += b[at] * cosine[turn] - a[at] * sine[turn];
    }
  return [outRe, outIm];
}

const circles = new Map();
function circle(n) {
  if (!circles.has(n)) {
    const turns = Float64Array.from({ length: n }, (_, k) => (2 * Math.PI * k) / n);
    circles.set(n, [turns.map(Math.cos), turns.map(Math.sin)]);
  }
  return circles.get(n);
}

// Power |X_k|^2 of a real signal for k from 0 to n / 2.
function power(signal) {
  const [re, im] = fourier(signal, new Float64Array(signal.length));
  return Float64Array.from({ length: (signal.length >> 1) + 1 }, (_, k) => re[k] ** 2 + im[k] ** 2);
}

const hann = (n) => Float64Array.from({ length: n }, (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / n));

function terms(from, to) {
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  let [low, high] = [Math.min(from, to), Math.max(from, to)];
  const common = gcd(low, high);
  [low, high] = [low / common, high / common];
  if (low * high > 1e6) {
    // The nearest ratio with a denominator of at most 1000.
    let best = [1, 1];
    for (let b = 1; b <= 1000; b++) {
      const a = Math.round((low * b) / high);
      if (Math.abs(a / b - low / high) < Math.abs(best[0] / best[1] - low / high)) best = [a, b];
    }
    [low, high] = best;
  }
  return from < to ? [low, high] : [high, low];
}

// Windowed sinc interpolation, as torchaudio's Resample does it: six zero crossings, roll-off 0.99, Hann's window.
export function resample(wave, fromRate, toRate) {
  const [from, to] = terms(fromRate, toRate);
  if (from === to) return wave;
  const base = Math.min(from, to) * 0.99, width = Math.ceil((6 * from) / base), taps = 2 * width + from;
  const kernels = Array.from({ length: to }, (_, phase) =>
    Float64Array.from({ length: taps }, (_, k) => {
      const t = Math.max(-6, Math.min(6, (-phase / to + (k - width) / from) * base));
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
      return sinc * Math.cos((t * Math.PI) / 12) ** 2 * (base / from);
    }));
  const out = new Float64Array(Math.ceil((to * wave.length) / from));
  for (let n = 0; n < out.length; n++) {
    const kernel = kernels[n % to], start = Math.floor(n / to) * from - width;
    const last = Math.min(taps, wave.length - start);
    let total = 0;
    for (let k = Math.max(0, -start); k < last; k++) total += kernel[k] * wave[start + k];
    out[n] = total;
  }
  return out;
}

// Start and end of each word, in samples: what is loud, split at pauses of 0.2 s, steady background subtracted.
export function findWords(wave, rate, thresholdDb = 35) {
  const hop = Math.max(1, Math.floor(rate / 100)), threshold = 10 ** (-thresholdDb / 10);
  const frames = [];
  for (let start = 0; start < wave.length; start += hop) {
    const frame = new Float64Array(hop);
    frame.set(wave.subarray(start, start + hop));
    frames.push(frame);
  }
  let energy = frames.map((frame) => mean(frame.map((x) => x * x)));
  const quiet = background(frames);
  if (quiet && OVER * mean(energy.filter((_, t) => quiet[t])) > threshold * Math.max(...energy))
    energy = withoutBackground(frames, quiet, hop);
  return loud(energy, threshold).map(([start, end]) => [start * hop, Math.min(end * hop, wave.length)]);
}

// Which frames are steady background; null where there is none.
function background(frames) {
  if (frames.length < 3 * EDGE) return null;
  const decibel = frames.map((frame) => {
    const middle = mean(frame);
    return 10 * Math.log10(mean(frame.map((x) => (x - middle) ** 2)) + 1e-12);
  });
  const smooth = decibel.map((_, t) => mean(decibel.slice(Math.max(0, t - 2), t + 3)));
  const level = smooth.slice().sort((a, b) => a - b), count = Math.max(5, Math.floor(level.length / 4));
  let first = 0;
  const width = (k) => level[k + count - 1] - level[k];
  for (let k = 0; k + count <= level.length; k++) if (width(k) < width(first)) first = k;
  const [low, high] = [level[first], level[first + count - 1]];
  if (high - low > 3 || high > Math.max(...decibel) - BELOW) return null;
  const within = smooth.map((x) => x > low - 2 && x < high + 2);
  const share = (part) => mean(part.map(Number));
  const both = [within.slice(0, EDGE), within.slice(-EDGE)].map(share);
  const one = [within.slice(0, 2 * EDGE), within.slice(-2 * EDGE)].map(share);
  return Math.min(...both) >= 0.8 || Math.max(...one) >= 0.8 ? within : null;
}

// Energy of each frame: power in bands of 250 Hz, a mean of three frames, less three times the background's.
function withoutBackground(frames, quiet, hop) {
  const before = hop >> 1, padded = new Float64Array((frames.length + 1) * hop), window = hann(2 * hop);
  frames.forEach((frame, t) => padded.set(frame, before + t * hop));
  const wide = Math.min(5, hop), count = Math.floor((hop - wide) / wide) + 1;
  const pooled = frames.map((_, t) => {
    const spectrum = power(padded.slice(t * hop, (t + 2) * hop).map((x, k) => x * window[k]));
    return Float64Array.from({ length: count }, (_, b) => mean(spectrum.slice(1 + b * wide, 1 + (b + 1) * wide)));
  });
  const bands = pooled.map((_, t) => {
    const near = pooled.slice(Math.max(0, t - 1), t + 2);
    return Float64Array.from({ length: count }, (_, b) => mean(near.map((frame) => frame[b])));
  });
  const noise = bands.filter((_, t) => quiet[t]);
  const level = Float64Array.from({ length: count }, (_, b) => mean(noise.map((frame) => frame[b])));
  return bands.map((frame) => sum(frame.map((x, b) => Math.max(0, x - OVER * level[b]))));
}

// First frame and end of each stretch above the threshold that is long enough, clicks left out.
function loud(energy, threshold) {
  energy = [...energy];
  while (energy.some((x) => x > 0)) {
    const highest = Math.max(...energy), stretches = [];
    energy.forEach((x, t) => {
      if (!(x > threshold * highest)) return;
      const last = stretches.at(-1);
      if (last && t - last[1] < PAUSE) last[1] = t + 1;
      else stretches.push([t, t + 1]);
    });
    const words = stretches.filter(([start, end]) => end - start >= SHORTEST);
    if (words.length === stretches.length) return words;
    if (!words.length) return stretches.slice(0, 1).map(([start]) => [start, stretches.at(-1)[1]]);
    for (const [start, end] of stretches) if (end - start < SHORTEST) energy.fill(0, start, end);
  }
  return [];
}

// Triangles between equally spaced points of the mel scale, `channels` rows over the frequencies from 0 to rate / 2.
function melFilters(channels, bins, rate) {
  const top = 2595 * Math.log10(1 + rate / 2 / 700);
  const points = Array.from({ length: channels + 2 }, (_, k) => 700 * (10 ** ((top * k) / (channels + 1) / 2595) - 1));
  return Array.from({ length: channels }, (_, c) =>
    Float64Array.from({ length: bins }, (_, k) => {
      const f = ((rate / 2) * k) / (bins - 1);
      const up = (f - points[c]) / (points[c + 1] - points[c]);
      return Math.max(0, Math.min(up, (points[c + 2] - f) / (points[c + 2] - points[c + 1])));
    }));
}

// Log mel spectrogram of one word, channels x frames in [0, 1], row by row, low frequencies first; and from when to when
// in the sound, in seconds, it goes.
export function melSpectrogram(wave, rate, settings) {
  const { sample_rate, channels, frames, window_ms, hop_ms, dynamic_range_db, trim_db } = settings;
  let word = resample(wave, rate, sample_rate);
  const words = findWords(word, sample_rate, trim_db);
  const [from, to] = words.length ? [words[0][0], words.at(-1)[1]] : [0, word.length];
  word = word.slice(from, to);
  const peak = word.reduce((highest, x) => Math.max(highest, Math.abs(x)), 0);
  const size = Math.round((sample_rate * window_ms) / 1000), n = 2 * size; // zero-padded to twice its length
  const hop = Math.round((sample_rate * hop_ms) / 1000), count = Math.floor(word.length / hop) + 1;
  const window = hann(size), filters = melFilters(channels, size + 1, sample_rate);
  const decibel = Array.from({ length: count }, (_, t) => {
    const signal = new Float64Array(n), start = t * hop - (size >> 1);
    for (let k = Math.max(0, -start); k < size && start + k < word.length; k++)
      signal[k] = (window[k] * word[start + k]) / peak;
    const spectrum = power(signal);
    return filters.map((filter) => 10 * Math.log10(Math.max(1e-20, sum(filter.map((w, k) => w * spectrum[k])))));
  });
  const loudest = decibel.reduce((highest, frame) => Math.max(highest, ...frame), -Infinity);
  const unit = (t, c) => Math.max(0, Math.min(1, 1 + (decibel[t][c] - loudest) / dynamic_range_db));
  const picture = new Float32Array(channels * frames);
  for (let f = 0; f < frames; f++) {
    const place = (f * (count - 1)) / (frames - 1), t = Math.min(Math.floor(place), Math.max(0, count - 2));
    for (let c = 0; c < channels; c++) {
      const next = unit(Math.min(t + 1, count - 1), c);
      picture[c * frames + f] = unit(t, c) + (place - t) * (next - unit(t, c));
    }
  }
  return { picture, seconds: [from / sample_rate, to / sample_rate] };
}

function hash(x) {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}

// Poisson spikes [T, values] by a hash of (key, position, time step): the same key gives the same spikes as in Python.
export function poissonSpikes(values, steps, [low, high]) {
  const spikes = new Float32Array(steps * values.length);
  values.forEach((value, place) => {
    let counter = hash(hash((place + low) | 0) ^ high);
    for (let t = 0; t < steps; t++) {
      spikes[t * values.length + place] = hash(counter) >>> 8 < value * 2 ** 24 ? 1 : 0;
      counter = (counter + 0x9e3779b9) | 0;
    }
  });
  return spikes;
}
