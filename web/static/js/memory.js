// What this device, or this tab, remembers; where a browser forbids that, the page works and forgets.

const PLACES = { device: () => localStorage, tab: () => sessionStorage };

export function recall(name, otherwise, place = "device") {
  try {
    return JSON.parse(PLACES[place]().getItem(`matinee-${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value, place = "device") {
  try {
    PLACES[place]().setItem(`matinee-${name}`, JSON.stringify(value));
  } catch {
    // not allowed here
  }
}
