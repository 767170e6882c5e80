// The address says what is shown, "#/movie/318" or "#/?genre=Drama&q=heat", so that Back, reload and a shared link keep it.

const split = () => (location.hash || "#/").split("?");
export const path = () => split()[0];
export const parameter = (name) => new URLSearchParams(split()[1]).get(name) ?? "";

// A number of the address from `least` to `most`; `least` without one.
export const count = (name, least, most) => Math.min(most, Math.max(least, Math.round(Number(parameter(name))) || least));

// Empty values are left out. With `step`, Back returns to the address as it was before.
export function setParameters(changes, step = false) {
  const [here, old] = split();
  const now = new URLSearchParams(old);
  for (const [name, value] of Object.entries(changes)) {
    if (value) now.set(name, value);
    else now.delete(name);
  }
  const address = now.size ? `${here}?${now}` : here;
  if (address !== location.hash) history[step ? "pushState" : "replaceState"](null, "", address);
  keepMovies();
}

// The last address of the lists of movies, for the way back from another view.
let movies = "#/";
export const moviesAddress = () => movies;
export function keepMovies() {
  if (path() === "#/") movies = location.hash || "#/";
}
