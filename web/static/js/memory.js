// Values kept on this device or in this tab. Where a browser forbids storage, the page works without it.

const STORES = { device: () => localStorage, tab: () => sessionStorage };

export function recall(name, otherwise, place = "device") {
  try {
    return JSON.parse(STORES[place]().getItem(`matinee-${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value, place = "device") {
  try {
    STORES[place]().setItem(`matinee-${name}`, JSON.stringify(value));
  } catch {
    // not allowed here
  }
}

// With MATINEE_USER_TOKENS=1 each person's token opens what is theirs.
export const tokenOf = (user) => recall("tokens", {})[user] ?? null;
export const keepToken = (user, token) => token && remember("tokens", { ...recall("tokens", {}), [user]: token });
