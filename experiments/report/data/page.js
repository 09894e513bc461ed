"use strict";
// Inflates plotly.js, draws every figure in the reader's colours, saves figures, and writes down what was drawn.
(() => {
  const root = document.documentElement;
  const status = { figures: [], errors: [] };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  let printing = false;

  function report(state) {
    root.dataset.report = state;
    document.getElementById("figures-status").textContent = JSON.stringify(status);
  }

  function failed(error) {
    status.errors.push(String((error && error.stack) || error));
    report(root.dataset.report === "drawn" ? "drawn" : "failed");
  }

  addEventListener("error", (event) => failed(event.error || event.message));
  addEventListener("unhandledrejection", (event) => failed(event.reason));

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function loadPlotly() {
    const script = document.createElement("script");
    script.textContent = await unpacked("plotly");
    document.head.append(script);
  }

  // "@ink" is a colour of the page; "@agent-2/0.2" one that is mostly transparent.
  function colour(token, palette) {
    const [name, alpha] = token.slice(1).split("/");
    const hex = palette[name];
    if (!alpha) return hex;
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    return `rgba(${r},${g},${b},${alpha})`;
  }

  function painted(value, palette, key = "") {
    if (Array.isArray(value)) return value.map((item) => painted(item, palette, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, item]) => [k, painted(item, palette, k)]));
    }
    return (key.endsWith("color") || key === "colorscale") && typeof value === "string" && value[0] === "@" ? colour(value, palette) : value;
  }

  const palettes = read("palettes");
  let figures = {};
  const config = {
    responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]],
  };

  function arranged(figure, node, width) {
    const palette = palettes[dark.matches && !printing ? "dark" : "light"];
    // A narrow screen has no room for a tool bar over the figure, nor for dragging to zoom while scrolling.
    const narrow = (width || node.clientWidth) < 440;
    // Paper is as narrow as a phone, measured in its letters.
    const small = narrow || printing;
    const { data, layout } = painted(
      { data: small && figure.narrowData || figure.data,
        layout: printing && figure.paper || small && figure.narrow || figure.layout }, palette);
    layout.font = { ...layout.font, family: getComputedStyle(document.body).fontFamily };
    if (width) Object.assign(layout, { width, autosize: false });
    // Lower on paper, so that two or three fit on a page, and without what a reader could press; low ones stay, and what
    // has a layout for paper.
    const lower = printing && !figure.paper;
    if (lower && layout.height >= 300) layout.height -= Math.round(node.closest("figure.wide") ? layout.height * 0.22 : 60);
    if (printing && layout.updatemenus) {
      delete layout.updatemenus;
      layout.margin = { ...layout.margin, b: 52 };
    }
    // A legend across the paper needs less room than one on a phone; plotly.js makes what it needs.
    if (lower && layout.showlegend !== false && node.closest("figure.wide") && layout.margin.t > 30) {
      layout.height -= layout.margin.t - 30;
      layout.margin = { ...layout.margin, t: 30 };
    }
    node.style.minHeight = `${layout.height}px`;
    if (narrow && !printing) layout.dragmode = false;
    return [data, layout, { ...config, displayModeBar: !narrow && !printing, staticPlot: printing }];
  }

  const nodes = () => [...document.querySelectorAll(".plot")];

  // A long page draws so many figures at once, and the others when a reader comes near them.
  const AT_ONCE = 24;
  const begun = new Map();

  function draw(node) {
    if (!begun.has(node)) begun.set(node, drawn(node));
    return begun.get(node);
  }

  async function drawn(node) {
    await Plotly.newPlot(node, ...arranged(figures[node.id], node, printing && printedWidth(node)));
    const points = figures[node.id].data.map((trace) => (trace.y || trace.x || (trace.z || []).flat()).filter((v) => v !== null).length);
    status.figures.push({ id: node.id, traces: points.length, points });
    report(root.dataset.report || "drawing");
  }

  async function drawFigures() {
    // Their room is kept from the start, so that nothing moves under a reader who scrolls.
    for (const node of nodes()) arranged(figures[node.id], node);
    const near = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        draw(target).catch(failed);
      }
    }, { rootMargin: "100% 0px" });
    for (const node of nodes()) near.observe(node);
    for (const node of nodes().slice(0, AT_ONCE)) {
      await draw(node);
      await new Promise((resolve) => setTimeout(resolve));
    }
    // In the order of the page, not of drawing.
    status.figures.sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
    report("drawn");
  }

  function redraw(width) {
    for (const node of begun.keys()) Plotly.react(node, ...arranged(figures[node.id], node, width && width(node)));
  }

  // Printing does not wait: what was not drawn yet is drawn here, all before the first page is laid out.
  function drawForPrint() {
    printing = true;
    for (const one of document.querySelectorAll("details.printed:not([open])")) one.open = true;
    redraw(printedWidth);
    for (const node of nodes()) draw(node).catch(failed);
  }

  // The file is made here, in the reader's colours and size, and handed to the browser as a download.
  async function save(button) {
    const node = document.getElementById(button.dataset.figure);
    const format = button.dataset.save;
    await draw(node);
    const size = { width: node.clientWidth, height: node.clientHeight, scale: format === "png" ? 2 : 1 };
    const link = document.createElement("a");
    const layout = { ...node.layout, updatemenus: [] };
    link.href = await Plotly.toImage({ data: node.data, layout }, { format, ...size });
    link.download = `${button.dataset.name}.${format}`;
    link.click();
  }

  // The contents are a column beside the page on a wide screen, and folded away on a narrow one.
  function arrangeContents() {
    const contents = document.querySelector(".contents details");
    if (!contents) return;
    const wide = matchMedia("(min-width: 1180px)");
    const fold = () => { contents.open = wide.matches; };
    wide.addEventListener("change", fold);
    contents.addEventListener("click", (event) => { if (event.target.closest("a") && !wide.matches) contents.open = false; });
    fold();
  }

  function markPlace() {
    const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
    const seen = new Set();
    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target.id) : seen.delete(target.id);
      for (const [id, link] of links) link.classList.toggle("here", seen.has(id) && !link.parentElement.querySelector("ul"));
    }, { rootMargin: "-15% 0px -70% 0px" });
    for (const id of links.keys()) { const there = document.getElementById(id); if (there) watch.observe(there); }
  }

  // A page of A4 is narrower than a screen, and printing does not wait for a responsive figure.
  const printedWidth = (node) => (node.closest("figure.wide") ? 680 : 325);

  async function start() {
    arrangeContents();
    markPlace();
    figures = JSON.parse(await unpacked("figures"));
    await loadPlotly();
    await drawFigures();
    for (const line of document.querySelectorAll(".save")) line.hidden = false;
    for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button));
    for (const media of [dark, matchMedia("(max-width: 560px)")]) media.addEventListener("change", () => redraw());
    addEventListener("beforeprint", drawForPrint);
    addEventListener("afterprint", () => { printing = false; redraw(); });
  }

  start().catch(failed);
})();
