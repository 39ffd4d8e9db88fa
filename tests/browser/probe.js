// Measures the page it stands in, and writes what it finds into the page around its frame.
addEventListener("load", () => {
  const channel = (text) => text.match(/[\d.]+/g).map(Number);
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const rgba = (text) => { const c = channel(text); return c.length === 3 ? [...c, 1] : c; };
  const backdrop = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  for (const details of document.querySelectorAll("details")) details.open = true;
  const images = [...document.images];
  const broken = images.filter((image) => !(image.complete && image.naturalWidth > 0)).map((image) => image.alt);
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("script, style, .unseen, .skip")) continue;
    const style = getComputedStyle(element);
    const colour = rgba(element.closest("svg") ? style.fill : style.color);
    const under = backdrop(element);
    texts.push({ text: node.data.trim().slice(0, 40), contrast: contrast(over(colour, under), under), size: parseFloat(style.fontSize) });
  }
  const wide = [...document.body.querySelectorAll("*")]
    .filter((e) => !e.closest(".skip, .unseen, svg, .scroll") && e.getBoundingClientRect().right > innerWidth + 0.5)
    .map((e) => `${e.tagName}.${e.className}`);
  const found = parent.document.createElement("pre");
  found.id = "found";
  found.textContent = JSON.stringify({
    width: innerWidth,
    scrollWidth: document.documentElement.scrollWidth,
    wide,
    images: images.length,
    broken,
    withoutAlt: images.filter((image) => !image.alt.trim()).length,
    headings: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.tagName[1])),
    landmarks: ["header", "nav", "main", "footer"].filter((name) => document.querySelector(`body > ${name}, body > header > ${name}`)),
    resources: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    title: document.title,
    faint: texts.filter((t) => t.contrast < 4.5),
    faintest: Math.min(...texts.map((t) => t.contrast)),
    texts: texts.length,
    smallest: Math.min(...texts.map((t) => t.size)),
  });
  parent.document.body.append(found);
});
