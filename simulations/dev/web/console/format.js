// Figures as people read them.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 });

const known = (n) => typeof n === 'number' && Number.isFinite(n);
const or = (n, format) => (known(n) ? format(n) : '–');

export const count = (n) => or(n, (x) => (x < 100_000 ? whole : short).format(x));
export const rate = (n) => or(n, (x) => (x < 10 && x % 1 !== 0 ? x.toFixed(1) : count(x)));
export const share = (n) => or(n, (x) => percent.format(x));
export const millis = (n) => or(n, (x) => (x < 10 && x % 1 !== 0 ? `${x.toFixed(1)} ms` : `${whole.format(x)} ms`));
export const bytes = (n) => or(n, (x) => (x < 1000 ? `${whole.format(x)} B` : x < 1e6 ? `${(x / 1e3).toFixed(1)} kB` : `${(x / 1e6).toFixed(1)} MB`));

export function uptime(seconds) {
  return or(seconds, (s) => {
    if (s < 60) return `${Math.floor(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86_400)} d`;
  });
}
