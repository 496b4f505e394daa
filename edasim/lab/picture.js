// A picture over which bands of time can be dragged and stretched, and which can be covered until a guess is made.
const WAIT_MS = 40;

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function render({ model, el }) {
  const frame = document.createElement("div");
  frame.className = "edasim-picture";
  const image = document.createElement("img");
  image.draggable = false;
  const over = document.createElement("div");
  over.className = "edasim-over";
  const cover = document.createElement("div");
  cover.className = "edasim-cover";
  frame.append(image, over, cover);
  el.append(frame);
  let address = "";
  let held = null;
  let last = 0;

  function showImage() {
    const bytes = model.get("png");
    if (!bytes || !bytes.byteLength) return;
    const old = address;
    address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    image.src = address;
    image.alt = model.get("alt");
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
  }

  function showCover() {
    cover.textContent = model.get("cover");
    cover.style.display = model.get("cover") ? "flex" : "none";
    image.style.visibility = model.get("cover") ? "hidden" : "visible";
    over.style.display = model.get("cover") ? "none" : "block";
  }

  // A band is drawn once for each axes over time; its two edges and its body can be taken.
  function showBands() {
    if (held) return;
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
    over.replaceChildren();
    const end = model.get("end_s");
    model.get("boxes").forEach(([left, top, width, height], place) => {
      for (const band of model.get("bands")) {
        const box = document.createElement("div");
        box.className = "edasim-band";
        box.tabIndex = 0;
        box.dataset.key = `${place} ${band.name}`;
        box.title = `${band.text}: drag to move it, drag an edge to stretch it, or use the arrow keys (with shift to stretch)`;
        box.setAttribute("role", "slider");
        box.setAttribute("aria-label", box.title);
        box.setAttribute("aria-valuetext", `from ${band.start} s to ${band.end} s`);
        Object.assign(box.style, {
          left: `${100 * (left + (width * band.start) / end)}%`,
          width: `${(100 * width * (band.end - band.start)) / end}%`,
          top: `${100 * top}%`,
          height: `${100 * height}%`,
        });
        for (const edge of ["start", "end"]) {
          const grip = document.createElement("div");
          grip.className = `edasim-grip edasim-${edge}`;
          grip.dataset.edge = edge;
          box.append(grip);
        }
        box.addEventListener("pointerdown", (event) => take(event, box, band, [left, width]));
        box.addEventListener("keydown", (event) => key(event, band));
        over.append(box);
        if (box.dataset.key === focused) box.focus();
      }
    });
  }

  function take(event, box, band, [left, width]) {
    event.preventDefault();
    box.focus();
    held = { box, band: { ...band }, left, width, edge: event.target.dataset.edge || "both", from: event.clientX };
    box.setPointerCapture(event.pointerId);
    box.onpointermove = drag;
    box.onpointerup = box.onpointercancel = release;
  }

  function moved(band, edge, by) {
    const end = model.get("end_s");
    const shortest = 0.1;
    let { start, end: stop } = band;
    if (edge === "both") {
      const shift = clamp(by, -start, end - stop);
      start += shift;
      stop += shift;
    } else if (edge === "start") start = clamp(start + by, 0, stop - shortest);
    else stop = clamp(stop + by, start + shortest, end);
    return { name: band.name, start, end: stop };
  }

  function drag(event) {
    const pixels = frame.getBoundingClientRect().width * held.width;
    const now = moved(held.band, held.edge, ((event.clientX - held.from) / pixels) * model.get("end_s"));
    held.box.style.left = `${100 * (held.left + (held.width * now.start) / model.get("end_s"))}%`;
    held.box.style.width = `${(100 * held.width * (now.end - now.start)) / model.get("end_s")}%`;
    held.now = now;
    if (performance.now() - last > WAIT_MS) tell(now);
  }

  function release() {
    const now = held.now;
    held.box.onpointermove = held.box.onpointerup = held.box.onpointercancel = null;
    held = null;
    if (now) tell(now);
    else showBands();
  }

  function key(event, band) {
    const by = { ArrowLeft: -0.5, ArrowRight: 0.5 }[event.key];
    if (!by) return;
    event.preventDefault();
    tell(moved(band, event.shiftKey ? "end" : "both", by));
  }

  function tell(now) {
    last = performance.now();
    model.set("moved", { ...now, number: (model.get("moved").number || 0) + 1 });
    model.save_changes();
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without the right to the clipboard the text beside the picture can be selected by hand.
    }
  }

  model.on("change:png", showImage);
  model.on("change:cover", showCover);
  model.on("change:bands change:boxes change:end_s", showBands);
  model.on("msg:custom", (message) => message.copy && copy(message.copy));
  showImage();
  showCover();
  showBands();
  return () => URL.revokeObjectURL(address);
}

export default { render };
