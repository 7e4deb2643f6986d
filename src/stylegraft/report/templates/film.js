"use strict";
for (const film of document.querySelectorAll(".film")) {
  const frames = [...film.querySelectorAll("figure")];
  const controls = film.querySelector(".controls");
  if (frames.length < 2 || !controls) continue;
  const slider = controls.querySelector("input"), output = controls.querySelector("output");
  const button = controls.querySelector("button");
  const chart = document.querySelector("#distance .chart");
  let timer = 0;
  const show = (place) => {
    frames.forEach((frame, number) => frame.classList.toggle("now", number === place));
    slider.value = place;
    output.textContent = frames[place].dataset.words;
    slider.setAttribute("aria-valuetext", frames[place].dataset.words);
    if (!chart) return;
    const [first, last] = chart.dataset.x.split(" ").map(Number), [left, right] = chart.dataset.px.split(" ").map(Number);
    const at = left + (Number(frames[place].dataset.kimg) - first) / ((last - first) || 1) * (right - left);
    const cursor = chart.querySelector(".cursor");
    cursor.setAttribute("x1", at); cursor.setAttribute("x2", at);
    cursor.setAttribute("visibility", at >= left && at <= right + 1 ? "visible" : "hidden");
  };
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "▶"; };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === frames.length - 1) show(0);
    button.textContent = "❚❚";
    timer = setInterval(() => Number(slider.value) < frames.length - 1 ? show(Number(slider.value) + 1) : stop(), 350);
  });
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  if (chart) chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect(), view = chart.viewBox.baseVal;
    const [first, last] = chart.dataset.x.split(" ").map(Number), [left, right] = chart.dataset.px.split(" ").map(Number);
    const kimg = first + ((event.clientX - box.left) / box.width * view.width - left) / (right - left) * (last - first);
    const off = (frame) => Math.abs(Number(frame.dataset.kimg) - kimg);
    stop();
    show(frames.reduce((best, frame, number) => off(frame) < off(frames[best]) ? number : best, 0));
  });
  film.classList.add("live");
  controls.hidden = false;
  show(frames.length - 1);
}
