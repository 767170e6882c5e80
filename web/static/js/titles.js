// Titles and genres as text.

const HUES = { Action: 12, Adventure: 32, Animation: 190, Children: 48, Comedy: 42, Crime: 352, Documentary: 165, Drama: 265,
  Fantasy: 285, "Film-Noir": 225, Horror: 0, IMAX: 205, Musical: 322, Mystery: 245, Romance: 336, "Sci-Fi": 215, Thriller: 5,
  War: 85, Western: 28 };
const ARTICLE = /^(.+?), (The|A|An|Le|La|Les|L'|Il|Der|Die|Das|El|Los|Las)( \(.*)?$/;

export const hue = (movie) => HUES[movie.genres[0]] ?? 250;

// "Godfather, The" is how a catalogue sorts, "The Godfather" how people read.
export function titled({ title }) {
  const [, name, article, rest] = title.match(ARTICLE) ?? [];
  return name ? `${article}${article.endsWith("'") ? "" : " "}${name}${rest ?? ""}` : title;
}

// Without alternative titles in parentheses, for short texts.
export const brief = (movie) => titled(movie).replace(/ \(.*\)$/, "");

// Lines break neither before a dot nor within a genre.
export const listed = (words) => words.join("\u00a0· ").replaceAll("-", "\u2011");
