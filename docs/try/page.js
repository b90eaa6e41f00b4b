// The page: sound in, front-end.js makes spikes of it, onnxruntime-web runs the network, canvases show every stage.
import { findWords, melSpectrogram, poissonSpikes } from "./front-end.js";
import { cividis, drawAxes, drawWave, paint } from "./plot.js";

const LONGEST = 30, MOST_WORDS = 20, MOST_BYTES = 10e6, SILENCE = 1e-4, UNSURE = 0.7, LONG = 1;
const $ = (name) => document.getElementById(name);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let network, model, words = [], chosen = 0, playing = 0, recorder = null, asked = 0;

class Refused extends Error {} // its message is for the visitor

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

async function start() {
  for (const element of $("sound").querySelectorAll("button, input")) element.disabled = true;
  try {
    model = await (await fetch("model.json")).json();
    const ort = await import("./ort/ort.wasm.min.mjs");
    Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL("./ort/", import.meta.url).href });
    const session = await ort.InferenceSession.create("fsdd.onnx");
    network = async (spikes, T) => {
      const feeds = { input_spikes: new ort.Tensor("float32", spikes, [T, 1, spikes.length / T]) };
      const out = await session.run(feeds);
      return Object.fromEntries(Object.entries(out).map(([name, tensor]) => [name, tensor.data]));
    };
  } catch (error) {
    console.error(error);
    return say("The network could not be loaded: this copy of the page is incomplete, or the browser is too old.", true);
  }
  model.samples.forEach((name, digit) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
    button.setAttribute("aria-label", name);
    button.onclick = () => take(async () => (await fetch(`samples/${name}.wav`)).arrayBuffer());
    $("samples").append(button);
  });
  $("samples").hidden = !model.samples.length;
  for (const element of $("sound").querySelectorAll("button, input")) element.disabled = false;
  say("Ready: say a digit.");
}

// The samples of a file's first sound at the file's own rate where its header says it (WAV), else at 48 kHz.
async function decode(content) {
  const view = new DataView(content), is = (at, word) => content.byteLength > 44 &&
    [...word].every((letter, k) => view.getUint8(at + k) === letter.charCodeAt(0));
  const rate = is(0, "RIFF") && is(8, "WAVE") ? view.getUint32(24, true) : 48000;
  let sound;
  try {
    const context = new OfflineAudioContext(1, 1, Math.min(96000, Math.max(8000, rate)));
    sound = await context.decodeAudioData(content);
  } catch {
    throw new Refused("This is no sound that the browser can read: try WAV, MP3, OGG or FLAC.");
  }
  const wave = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++)
    sound.getChannelData(channel).forEach((x, k) => (wave[k] += x / sound.numberOfChannels));
  return { wave, rate: sound.sampleRate };
}

// What becomes of one word.
async function draw(wave, rate, T) {
  const { picture: spectrogram, seconds } = melSpectrogram(wave, rate, model.front_end);
  const spikes = poissonSpikes(spectrogram, T, model.key);
  const out = await network(spikes, T);
  return { wave, rate, T, spectrogram, seconds, spikes, hidden: out[model.hidden], output: out[model.output],
    probabilities: [...out.probabilities] };
}

let last = null; // the sound that is shown
async function take(read) {
  const mine = ++asked;
  stop();
  say("Listening ...");
  try {
    const sound = await decode(await read());
    if (mine !== asked) return; // another sound was taken meanwhile
    last = sound;
    await show(mine);
  } catch (error) {
    if (mine !== asked) return;
    $("shown").hidden = true;
    if (!(error instanceof Refused)) console.error(error);
    say(error instanceof Refused ? error.message : "This sound could not be drawn.", true);
  }
}

// Lets the browser show and answer what has happened meanwhile.
const breathe = () => new Promise((go) => setTimeout(go));

async function show(mine = ++asked) {
  const { wave, rate } = last, seconds = wave.length / rate, T = +$("steps").value;
  const peak = wave.reduce((highest, x) => Math.max(highest, Math.abs(x)), 0);
  if (seconds > LONGEST) throw new Refused(`A recording of at most ${LONGEST} seconds is drawn: this one has ${seconds.toFixed(1)}.`);
  if (peak < SILENCE) throw new Refused("There is only silence in this recording.");
  const found = findWords(wave, rate, model.front_end.trim_db);
  if (found.length > MOST_WORDS) throw new Refused(`At most ${MOST_WORDS} words are drawn: this recording has ${found.length}.`);
  const parts = found.length < 2 ? [wave] : found.map(([from, to]) => wave.slice(from, to));
  const drawn = [];
  for (const part of parts) {
    await breathe();
    if (mine !== asked) return;
    drawn.push(await draw(part, rate, T));
  }
  words = drawn;
  const heard = words.map(({ probabilities }) => {
    const ranked = probabilities.map((p, k) => [p, model.labels[k]]).sort(([a], [b]) => b - a);
    return { label: ranked[0][1], sure: ranked[0][0], second: ranked[1][1] };
  });
  const several = words.length > 1;
  const doubt = [
    ...heard.map(({ label, sure, second }, k) => (sure < UNSURE ? ` Unsure${several ? ` of word ${k + 1}` : ""}: ${label} or ${second}.` : "")),
    ...found.map(([from, to]) => (to - from) / rate).map((seconds, k) => (seconds > LONG
      ? ` Long: ${several ? `word ${k + 1}` : "the word"} lasts ${seconds.toFixed(1)} s; leave 0.2 s of pause between several words.` : "")),
  ].join("");
  say(`It drew the digit${several ? "s" : ""} ${heard.map(({ label }) => label).join(" ")} (probabilit${several ? "ies" : "y"} ` +
    `${heard.map(({ sure }) => (Math.floor(100 * sure) / 100).toFixed(2)).join(" ")}).${doubt}`);
  $("words").replaceChildren(...heard.map(({ label }, place) => {
    const button = Object.assign(document.createElement("button"), { textContent: label });
    button.setAttribute("aria-label", `word ${place + 1}: ${label}`);
    button.onclick = () => choose(place);
    return button;
  }));
  $("words").hidden = words.length < 2;
  $("shown").hidden = false;
  choose(0);
}

function choose(place) {
  chosen = place;
  const { wave, rate, T, spectrogram, seconds, probabilities } = words[place];
  [...$("words").children].forEach((button, k) => button.setAttribute("aria-pressed", k === place));
  $("seconds").textContent = (wave.length / rate).toFixed(2);
  $("T").textContent = T;
  $("step").max = T;
  const heard = { name: "time (s)", from: seconds[0], to: seconds[1] }, channel = { name: "frequency channel", from: -0.5, to: 38.5 };
  drawAxes($("wave"), { name: "time (s)", from: 0, to: wave.length / rate }, { name: "amplitude", from: -1, to: 1 });
  drawAxes($("spectrogram"), heard, channel);
  drawAxes($("input"), heard, channel);
  drawAxes($("hidden"), { name: "time step", from: 0.5, to: T + 0.5 }, { name: "hidden neuron", from: -0.5, to: 195.5 });
  drawWave($("wave"), wave);
  paint($("spectrogram"), 100, 39, (x, y) => cividis(spectrogram[(38 - y) * 100 + x]));
  const best = Math.max(...probabilities);
  $("probabilities").replaceChildren(...probabilities.map((p, k) => {
    const row = document.createElement("li");
    row.className = p === best ? "best" : "";
    row.append(model.labels[k], document.createElement("span"), `${(Math.floor(1000 * p) / 10).toFixed(1)} %`);
    row.children[0].append(Object.assign(document.createElement("i"), { style: `width: ${100 * p}%` }));
    return row;
  }));
  for (const name of ["wave", "spectrogram", "input", "hidden", "image"])
    $(name).setAttribute("aria-label", $(name).closest("figure").querySelector("figcaption").textContent);
  play();
}

// All that moves, after time step t of 1 to T.
function showStep(t) {
  const { T, spikes, hidden, output } = words[chosen], counts = new Float32Array(784), all = new Float32Array(784);
  output.forEach((spike, k) => { all[k % 784] += spike; if (k < t * 784) counts[k % 784] += spike; });
  const brightest = Math.max(0.1 * T, ...all);
  paint($("image"), 28, 28, (x, y) => Array(3).fill((255 * counts[28 * y + x]) / brightest));
  paint($("input"), 100, 39, (x, y) => Array(3).fill(spikes[(t - 1) * 3900 + (38 - y) * 100 + x] ? 30 : 255));
  paint($("hidden"), T, 196, (x, y) => (x >= t ? [225, 228, 232] : Array(3).fill(hidden[x * 196 + 195 - y] ? 30 : 255)));
  $("step").value = t;
  for (const element of document.querySelectorAll(".step")) element.textContent = t;
  document.body.dataset.step = t;
}

function play() {
  stop();
  const { T } = words[chosen];
  if (calm.matches) return showStep(T);
  showStep(1);
  let t = 1;
  $("play").textContent = "Pause";
  playing = setInterval(() => { showStep(++t); if (t >= T) stop(); }, 80);
}

function stop() {
  clearInterval(playing);
  playing = 0;
  $("play").textContent = "Play";
}

async function record() {
  if (recorder) return recorder.stop();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    return say("The browser gives this page no microphone: allow it, or open a sound file.", true);
  }
  const pieces = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const cut = setTimeout(() => recorder?.stop(), (LONGEST - 0.5) * 1000);
  recorder.onstop = () => {
    clearTimeout(cut);
    stream.getTracks().forEach((track) => track.stop());
    recorder = null;
    $("record").textContent = "Record";
    take(() => new Blob(pieces).arrayBuffer());
  };
  recorder.start();
  $("record").textContent = "Stop";
  say(`Recording, ${LONGEST} seconds at most: say a digit, then press Stop.`);
}

$("record").onclick = record;
$("file").onchange = ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  take(async () => {
    if (file.size > MOST_BYTES) throw new Refused("A sound file of at most 10 MB is drawn: this one is larger.");
    return file.arrayBuffer();
  }).then(() => (target.value = ""));
};
$("steps").oninput = ({ target }) => ($("steps-shown").textContent = target.value);
$("steps").onchange = () => last && show();
$("step").oninput = ({ target }) => { stop(); showStep(+target.value); };
$("play").onclick = () => (playing ? stop() : play());
start();
