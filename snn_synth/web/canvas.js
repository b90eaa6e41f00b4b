// Draw with a finger, a mouse or the arrow keys; the value is 56 x 56 grey levels in base64, from white paper.
const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
const SMALL = 56, STEP = 10;
let place = [140, 140], down = false, drawn = false, keyed = false;

const wipe = () => { pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); drawn = false; };
const line = (to) => {
  Object.assign(pen, { lineWidth: 20, lineCap: "round", strokeStyle: "#000" });
  pen.beginPath();
  pen.moveTo(...place);
  pen.lineTo(...to);
  pen.stroke();
  drawn = true;
};
const hand = () => {
  const small = new OffscreenCanvas(SMALL, SMALL).getContext("2d");
  small.drawImage(canvas, 0, 0, SMALL, SMALL);
  const { data } = small.getImageData(0, 0, SMALL, SMALL);
  let bytes = "";
  for (let k = 0; k < data.length; k += 4) bytes += String.fromCharCode(data[k]);
  props.value = drawn ? btoa(bytes) : "";
};
const at = ({ clientX, clientY }) => {
  const box = canvas.getBoundingClientRect();
  return [((clientX - box.left) * canvas.width) / box.width, ((clientY - box.top) * canvas.height) / box.height];
};

wipe();
canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  [place, down] = [at(event), true];
  line(place);
};
canvas.onpointermove = (event) => {
  if (!down) return;
  const to = at(event);
  line(to);
  place = to;
};
canvas.onpointerup = canvas.onpointercancel = () => { if (down) { down = false; hand(); } };
canvas.onkeydown = (event) => {
  const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  if (event.key === " ") keyed = !keyed;
  else if (move) {
    const to = place.map((x, k) => Math.max(10, Math.min(270, x + move[k])));
    if (keyed) line(to);
    place = to;
  } else return;
  event.preventDefault();
  element.querySelector(".pen").textContent = keyed ? "the pen is down" : "the pen is up";
  hand();
};
element.querySelector("button").onclick = () => { wipe(); hand(); };
