// Draws the figures with data-src: fetches their samples, then only the new ones.
"use strict";
(() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const text = (at) => new Date(at * 1000).toISOString();
  const clock = (_, all) => all.map((at) => all[all.length - 1] - all[0] > 90000 || (all[1] - all[0]) % 86400 === 0 ? text(at).slice(5, at % 86400 ? 16 : 10).replace("T", " ") : text(at).slice(11, 19).replace(/:00$/, ""));
  const axis = () => ({ stroke: color("quiet"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" });

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.series = JSON.parse(figure.dataset.series);
      this.data = [[], ...this.series.map(() => [])];
      this.room = figure.querySelector(".room");
      this.every = Number(figure.dataset.every) * 1000;
      this.load();
    }
    async load() {
      const times = this.data[0], after = times.length ? times[times.length - 1] : 0;
      try {
        const answer = await fetch(`${this.figure.dataset.src}&after=${after}`);
        if (answer.ok && !answer.redirected) this.add(await answer.json());
      } catch { /* the next time */ }
      setTimeout(() => this.load(), this.every);
    }
    add(more) {
      if (!more.times.length && this.plot) return;
      const keep = more.keep;
      this.data[0] = this.data[0].concat(more.times).slice(-keep);
      this.series.forEach((one, at) => { this.data[at + 1] = this.data[at + 1].concat(more[one.key]).slice(-keep); });
      if (this.plot) this.plot.setData(this.data); else if (this.data[0].length > 1) this.draw(); else this.room.textContent = "Not enough samples yet.";
    }
    draw() {
      if (this.plot) this.plot.destroy(); else this.room.textContent = "";
      const scale = Number(this.figure.dataset.scale || 1), unit = this.figure.dataset.unit;
      const show = (value) => value == null ? "–" : `${+(value * scale).toPrecision(3)}${unit}`;
      const y = { ...axis(), size: 58, values: (_, all) => all.map(show) };
      const range = this.figure.dataset.max ? [0, Number(this.figure.dataset.max)] : (_, __, top) => [0, top > 0 ? top * 1.08 : 1];
      this.plot = new uPlot({
        width: this.room.clientWidth, height: 180, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"), cursor: { y: false, points: { size: 6 } },
        scales: { x: { range: (_, low, high) => [Math.min(low, high - 30), high] }, y: { range } }, axes: [{ ...axis(), size: 26, space: 80, values: clock }, y],
        series: [{ label: "UTC", value: (_, v) => v == null ? "–" : text(v).slice(0, 19).replace("T", " ") }, ...this.series.map((one) => ({
          label: one.label, stroke: color(one.color), width: 1.75, dash: one.dash, spanGaps: false, points: { show: false }, value: (_, v) => show(v),
        }))],
      }, this.data, this.room);
    }
  }
  document.addEventListener("DOMContentLoaded", () => {
    const charts = [...document.querySelectorAll("figure[data-src]")].map((figure) => new Chart(figure));
    const again = () => charts.forEach((chart) => { if (chart.plot) chart.draw(); });
    dark.addEventListener("change", again);
    let timer; addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(again, 150); });
  });
})();
