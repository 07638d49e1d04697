// Wraps the page's camera in a canvas with a clock burnt in, and reads the clock from the coloured video.
(() => {
  const CELL = 16, COLUMNS = 20, BITS = 32;
  const camera = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const state = { times: [], unreadable: 0, begun: 0, drawn: 0, colour: [] };

  function bits(stamp) {
    const check = [24, 16, 8, 0].reduce((sum, i) => sum + ((stamp >>> i) & 255), 0) % 256;
    const out = [];
    for (let i = BITS - 1; i >= 0; i -= 1) out.push((stamp >>> i) & 1);
    for (let i = 7; i >= 0; i -= 1) out.push((check >>> i) & 1);
    return out;
  }

  navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = await camera(wish);
    const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true });
    await video.play();
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    const pen = canvas.getContext("2d");
    const draw = () => {
      pen.filter = "none";
      pen.drawImage(video, 0, 0);
      bits(Math.round(performance.now())).forEach((bit, i) => {
        pen.fillStyle = bit ? "#dcdcdc" : "#202020";
        pen.fillRect(CELL * (i % COLUMNS), CELL * Math.floor(i / COLUMNS), CELL, CELL);
      });
      state.drawn += 1;
      video.requestVideoFrameCallback(draw);
    };
    draw();
    return canvas.captureStream();
  };

  function look(video) {
    const now = performance.now();
    const pad = look.pad ??= Object.assign(document.createElement("canvas"), { width: CELL * COLUMNS, height: 2 * CELL });
    const pen = pad.getContext("2d", { willReadFrequently: true });
    pen.drawImage(video, 0, 0, pad.width, pad.height, 0, 0, pad.width, pad.height);
    const data = pen.getImageData(0, 0, pad.width, pad.height).data;
    const seen = [];
    for (let i = 0; i < BITS + 8; i += 1) {
      const x = CELL * (i % COLUMNS) + CELL / 2, y = CELL * Math.floor(i / COLUMNS) + CELL / 2;
      let sum = 0;
      for (let dy = -2; dy < 2; dy += 1) for (let dx = -2; dx < 2; dx += 1) sum += data[4 * ((y + dy) * pad.width + x + dx) + 1];
      seen.push(sum / 16 > 126 ? 1 : 0);
    }
    const stamp = seen.slice(0, BITS).reduce((value, bit) => value * 2 + bit, 0);
    if (bits(stamp).join() === seen.join()) state.times.push(now - stamp);
    else state.unreadable += 1;
    state.width = video.videoWidth;
    state.height = video.videoHeight;
  }

  // Hasler-Suesstrunk, over the whole picture.
  function colourfulness(video) {
    const pad = Object.assign(document.createElement("canvas"), { width: 160, height: 90 });
    const pen = pad.getContext("2d");
    pen.drawImage(video, 0, 0, 160, 90);
    const data = pen.getImageData(0, 0, 160, 90).data, n = data.length / 4;
    let rg = 0, rg2 = 0, yb = 0, yb2 = 0;
    for (let i = 0; i < data.length; i += 4) {
      const a = data[i] - data[i + 1], b = (data[i] + data[i + 1]) / 2 - data[i + 2];
      rg += a; rg2 += a * a; yb += b; yb2 += b * b;
    }
    const spread = Math.sqrt(Math.max(0, rg2 / n - (rg / n) ** 2) + Math.max(0, yb2 / n - (yb / n) ** 2));
    return spread + 0.3 * Math.hypot(rg / n, yb / n);
  }

  window.latency = {
    begin() {
      const video = document.getElementById("live-after");
      Object.assign(state, { times: [], unreadable: 0, begun: performance.now(), drawn: 0, on: true });
      const each = () => {
        if (!state.on) return;
        look(video);
        video.requestVideoFrameCallback(each);
      };
      video.requestVideoFrameCallback(each);
    },
    end() {
      state.on = false;
      const seconds = (performance.now() - state.begun) / 1000;
      return {
        times: state.times, unreadable: state.unreadable, width: state.width, height: state.height,
        fps: state.times.length / seconds, drawn: state.drawn / seconds,
        colourfulness: colourfulness(document.getElementById("live-after")),
      };
    },
  };
})();
