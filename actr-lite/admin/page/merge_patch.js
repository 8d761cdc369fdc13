/** Applies a JSON merge patch (RFC 7396), and returns what comes of it. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  // Without a prototype: a key of a peer's can't reach one.
  const merged = Object.assign(Object.create(null), isObject(target) ? target : {});
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
