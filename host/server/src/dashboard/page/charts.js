// The chart of the hit ratio over time.

const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = { top: 8, right: 8, bottom: 24, left: 44 };
const HEIGHT = 220;

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  return made;
}

// The path of a line, with gaps where there is no value.
function path(points, x, y) {
  let drawing = false;
  const steps = points.map(({ at, value }) => {
    if (value == null) {
      drawing = false;
      return '';
    }
    const step = `${drawing ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = true;
    return step;
  });
  return steps.join('');
}

// Draws lines of ratios from 0 to 1. `lines` has a class and points for each; `label` describes the chart to screen readers.
export function drawRatios(container, { from, to, lines, label, formatTime }) {
  const width = Math.max(240, container.clientWidth);
  const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, HEIGHT - MARGIN.bottom];
  const x = (at) => left + ((at - from) / (to - from)) * (right - left);
  const y = (ratio) => bottom - ratio * (bottom - MARGIN.top);
  const svg = shape('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': label });
  for (const ratio of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape('line', { class: 'grid', x1: left, x2: right, y1: y(ratio), y2: y(ratio) }));
    svg.append(shape('text', { class: 'tick', x: left - 8, y: y(ratio) + 4, 'text-anchor': 'end' }, `${ratio * 100} %`));
  }
  const ticks = width < 420 ? 3 : 5;
  for (let tick = 0; tick <= ticks; tick += 1) {
    const at = from + ((to - from) * tick) / ticks;
    const anchor = tick === 0 ? 'start' : tick === ticks ? 'end' : 'middle';
    svg.append(shape('text', { class: 'tick', x: x(at), y: HEIGHT - 6, 'text-anchor': anchor }, formatTime(at)));
  }
  for (const { kind, points } of lines) {
    svg.append(shape('path', { class: `line ${kind}`, d: path(points, x, y) }));
    const last = points.findLast(({ value }) => value != null);
    if (last) svg.append(shape('circle', { class: `point ${kind}`, cx: x(last.at), cy: y(last.value), r: 3 }));
  }
  container.replaceChildren(svg);
}
