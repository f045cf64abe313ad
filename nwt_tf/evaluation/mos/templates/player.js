"use strict";

/** A video with one large button. `watched` once it has been seen to its end; no skipping. */
class Player {
  constructor(name, caption, onWatched) {
    const part = $("player").content.cloneNode(true);
    this.figure = part.querySelector("figure");
    this.video = part.querySelector("video");
    this.button = part.querySelector("button");
    this.bar = part.querySelector(".bar i");
    this.caption = caption;
    this.watched = false;
    part.querySelector("figcaption").textContent = caption;
    if (!caption) part.querySelector("figcaption").remove();
    this.video.src = `clips/${name}`;
    this.video.setAttribute("aria-label", caption ? `Video ${caption}` : "The video");
    this.video.onclick = this.button.onclick = () => this.toggle();
    this.video.ontimeupdate = () => {
      this.bar.style.width = `${100 * this.video.currentTime / (this.video.duration || 1)}%`;
    };
    this.video.onplay = this.video.onpause = () => this.label();
    this.video.onended = () => {
      this.bar.style.width = "100%";
      this.watched = true;
      this.label();
      onWatched();
    };
    this.video.onerror = () => this.label("Could not be loaded. Try again");
    this.label();
  }

  toggle() {
    if (this.video.error) this.video.load();
    if (!this.video.paused) return this.video.pause();
    for (const other of document.querySelectorAll("video")) other.pause();
    this.video.play().catch(() => {}); // The button says what went wrong.
  }

  label(text) {
    const verb = this.video.paused ? "Play" : "Pause";
    const again = this.video.paused && this.watched ? "again" : "";
    this.button.textContent = text ?? [verb, this.caption, again].filter(Boolean).join(" ");
    this.button.classList.toggle("first", !this.watched);
  }
}
