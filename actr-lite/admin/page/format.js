const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function count(value) {
  return Math.round(value).toLocaleString("en");
}

/** A number a second: small ones with a decimal. */
export function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

export function bytes(value) {
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A length of time from milliseconds, in its two largest units. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB");
}
