// Reading a chart bin by bin: the pointer and the arrow keys tell the same.

// A word of warning beside a number of few clips or scores; nothing beside enough of them.
function fewWords(number) {
  return number < DATA.few_scores ? [`⚠ fewer than ${DATA.few_scores}: rough`] : [];
}

// `box` takes the keys, `chart` the pointer. Of bins of equal width, `tell` returns the lines of one; `start` is where the
// keys begin, `open` what Enter and a click do, `leave` what ends a mark in the chart.
function readBins(box, chart, { bins, start, tell, leave = () => {}, open = () => {} }) {
  let at = -1;
  const show = (index, clientX, clientY) => {
    at = Math.min(bins - 1, Math.max(0, index));
    const frame = chart.getBoundingClientRect();
    showTip(tell(at), clientX ?? frame.left + ((at + 1) / bins) * frame.width, clientY ?? frame.top + 10);
  };
  const hide = () => {
    leave();
    hideTip();
  };
  chart.addEventListener("pointermove", (event) => {
    const frame = chart.getBoundingClientRect();
    show(Math.floor(((event.clientX - frame.left) / frame.width) * bins), event.clientX, event.clientY);
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("click", () => at >= 0 && open(at));
  box.addEventListener("blur", hide);
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key === "Escape") hide();
    if (event.key === "Enter" && at >= 0) open(at);
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(at < 0 ? start() : at + steps[event.key]);
  });
}
