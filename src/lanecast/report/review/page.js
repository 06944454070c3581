"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const NS = "http://www.w3.org/2000/svg", W = 900, H = 300, PAD = { l: 64, r: 190, t: 12, b: 34 };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const hues = [208, 24, 140, 290, 350, 60, 180, 260, 100, 320, 40, 230];
  const color = (i) => `hsl(${hues[i % hues.length]} 70% ${dark ? 68 : 32}%)`;
  const dash = (i) => (i < hues.length ? "" : i < 2 * hues.length ? "6 3" : "2 3");
  const el = (name, attrs, parent, text) => {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attrs)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  };
  const short = (x) => Math.abs(x) >= 1000 ? x.toLocaleString("en", { maximumFractionDigits: 0 })
    : String(Number(x.toPrecision(3)));
  const get = (id) => document.getElementById(id);

  // One chart: lines [{name, points: [[x, y]...], style}], bands [{points: [[x, low, high]...]}].
  function draw(id, { lines, bands = [], ticks, yFrom, label }) {
    const box = get(`chart-${id}`);
    if (!box) return;
    box.textContent = "";
    // A run may lack a series (older ones kept no actual values): a path without a point is an error.
    lines = lines.filter((one) => one.points.some((p) => p[1] !== null));
    const xs = [...lines, ...bands].flatMap((one) => one.points.map((p) => p[0]));
    const ys = [...lines.flatMap((one) => one.points.map((p) => p[1])),
      ...bands.flatMap((one) => one.points.flatMap((p) => [p[1], p[2]]))].filter((y) => y !== null);
    if (!xs.length || !ys.length) { get(`told-${id}`).textContent = "Nothing to draw."; return; }
    const x0 = Math.min(...xs), x1 = Math.max(...xs, x0 + 1e-9);
    let y0 = yFrom === undefined ? Math.min(...ys) : yFrom, y1 = Math.max(...ys);
    if (y1 === y0) y1 = y0 + 1;
    const X = (x) => PAD.l + (x - x0) / (x1 - x0) * (W - PAD.l - PAD.r);
    const Y = (y) => H - PAD.b - (y - y0) / (y1 - y0) * (H - PAD.t - PAD.b);
    const svg = el("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, box);
    for (let k = 0; k <= 4; k++) {
      const y = y0 + (y1 - y0) * k / 4;
      el("path", { class: "axis", d: `M${PAD.l} ${Y(y)}H${W - PAD.r}` }, svg);
      el("text", { x: PAD.l - 8, y: Y(y) + 4, "text-anchor": "end" }, svg, short(y));
    }
    const marks = ticks || Array.from({ length: 5 }, (_, k) => {
      const x = x0 + (x1 - x0) * k / 4;
      return [x, short(x)];
    });
    for (const [x, text] of marks)
      el("text", { x: X(x), y: H - PAD.b + 18, "text-anchor": "middle" }, svg, text);
    for (const band of bands) {
      const up = band.points.map((p) => `${X(p[0])} ${Y(p[2])}`);
      const down = band.points.map((p) => `${X(p[0])} ${Y(p[1])}`).reverse();
      el("path", { class: "band", d: `M${[...up, ...down].join("L")}Z` }, svg);
    }
    lines.forEach((line, i) => {
      const d = line.points.filter((p) => p[1] !== null).map((p) => `${X(p[0])} ${Y(p[1])}`);
      const path = el("path", { class: line.style || "series", d: `M${d.join("L")}` }, svg);
      if (!line.style) {
        path.style.stroke = color(i);
        if (dash(i)) path.style.strokeDasharray = dash(i);
      }
      if (i < 17 && line.name) {
        const y = PAD.t + 10 + 16 * i, x = W - PAD.r + 10;
        const key = el("path", { class: line.style || "series", d: `M${x} ${y - 4}h18` }, svg);
        if (!line.style) { key.style.stroke = color(i); if (dash(i)) key.style.strokeDasharray = dash(i); }
        el("text", { x: x + 24, y }, svg, line.name);
      }
    });
    box.setAttribute("aria-label", label);
    get(`told-${id}`).textContent = label;
  }

  const rowName = (row) => `${row.model} ${row.hash.slice(0, 4)}`;

  function cutoffs() {
    const times = data.rows[0].cutoffs.map((one) => one.cutoff.slice(0, 10));
    const every = Math.max(1, Math.ceil(times.length / 7));
    draw("cutoffs", {
      lines: data.rows.map((row) => ({ name: rowName(row), points: row.cutoffs.map((one, k) => [k, one.wape]) })),
      ticks: times.map((time, k) => [k, time]).filter((_, k) => k % every === 0), yFrom: 0,
      label: `WAPE by cutoff of ${data.rows.length} configurations; the numbers are in the table below.`,
    });
  }

  function reliability() {
    const rows = data.rows.filter((row) => row.reliability.length);
    if (!rows.length) return;
    draw("reliability", {
      lines: [...rows.map((row) => ({ name: rowName(row), points: [...row.reliability] })),
        { name: "calibrated", style: "actual", points: [[0, 0], [1, 1]] }],
      yFrom: 0, label: "Share of outcomes at or below each quantile, against its level; a calibrated model lies on the diagonal.",
    });
  }

  function fan() {
    const model = get("fan-model");
    if (!model) return;
    const lane = get("fan-lane").value, cutoff = get("fan-cutoff").value;
    const path = data.fans.paths[`${model.value}|${lane}|${cutoff}`];
    const row = data.rows.find((one) => one.hash === model.value);
    if (!path) {
      get("chart-fan").textContent = "";
      get("told-fan").textContent = `${rowName(row)} has no forecast of ${lane} at ${cutoff}.`;
      return;
    }
    const time = (text) => Date.parse(`${text.replace(" ", "T").slice(0, 16)}Z`);
    const x = path.ds.map(time), last = x[x.length - 1], span = last - x[0];
    const actual = (data.fans.actual[lane] || []).map(([ds, y]) => [time(ds), y])
      .filter((p) => p[0] >= x[0] - 2 * span - 1 && p[0] <= last);
    const bands = [["q0.05", "q0.95"], ["q0.1", "q0.9"]].filter(([low]) => path[low])
      .map(([low, high]) => ({ points: x.map((t, k) => [t, path[low][k], path[high][k]]) }));
    const xs = [...actual.map((p) => p[0]), ...x], a = Math.min(...xs);
    const ticks = Array.from({ length: 5 }, (_, k) => {
      const t = a + (last - a) * k / 4;
      return [t, new Date(t).toISOString().slice(0, 10)];
    });
    const within = path["q0.1"] ? actual.filter((p) => {
      const k = x.indexOf(p[0]);
      return k >= 0 && path["q0.1"][k] <= p[1] && p[1] <= path["q0.9"][k];
    }).length : 0;
    const scored = actual.filter((p) => x.includes(p[0])).length;
    draw("fan", {
      lines: [{ name: "forecast", points: x.map((t, k) => [t, path.point[k]]) },
        { name: "actual", style: "actual", points: actual }], bands, ticks,
      label: `${rowName(row)}, ${lane}, cutoff ${cutoff.slice(0, 10)}: forecast with 80 and 90 % intervals`
        + (scored ? `; ${within} of ${scored} actual values inside the 80 % interval.` : "."),
    });
  }

  function curve() {
    const select = get("curve-name");
    if (!select) return;
    const runs = data.runs.filter((run) => run.curves[select.value]);
    draw("curve", {
      lines: runs.map((run) => ({ name: run.id, points: run.curves[select.value] })),
      label: `${select.value} by step, ${runs.length} runs.`,
    });
  }

  function diff() {
    const one = data.configs[get("diff-one").value], two = data.configs[get("diff-two").value];
    const keys = [...new Set([...Object.keys(one), ...Object.keys(two)])].filter((key) => one[key] !== two[key]).sort();
    const box = get("diff");
    box.textContent = "";
    if (!keys.length) { box.textContent = "The two configurations are equal."; return; }
    const table = document.createElement("table");
    table.createCaption().textContent = `${keys.length} keys differ.`;
    const head = table.createTHead().insertRow();
    for (const name of ["Key", get("diff-one").value, get("diff-two").value]) {
      const th = document.createElement("th");
      th.scope = "col"; th.textContent = name; head.appendChild(th);
    }
    const body = table.createTBody();
    for (const key of keys) {
      const line = body.insertRow(), th = document.createElement("th");
      th.scope = "row"; th.textContent = key; line.appendChild(th);
      for (const side of [one, two]) line.insertCell().textContent = key in side ? side[key] : "(absent)";
    }
    box.appendChild(table);
  }

  cutoffs(); reliability(); fan(); curve(); diff();
  for (const [id, act] of [["fan-model", fan], ["fan-lane", fan], ["fan-cutoff", fan], ["curve-name", curve],
    ["diff-one", diff], ["diff-two", diff]]) if (get(id)) get(id).addEventListener("change", act);
  document.documentElement.dataset.ready = "true";
})();
