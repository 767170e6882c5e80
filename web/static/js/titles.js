// Titles and genres as text.

const HUES = { Action: 12, Adventure: 32, Animation: 190, Children: 48, Comedy: 42, Crime: 352, Documentary: 165, Drama: 265,
  Fantasy: 285, "Film-Noir": 225, Horror: 0, IMAX: 205, Musical: 322, Mystery: 245, Romance: 336, "Sci-Fi": 215, Thriller: 5,
  War: 34, Western: 28 };
// The rarer a genre, the more it says.
const DISTINCT = ["Film-Noir", "Western", "Documentary", "Musical", "War", "Horror", "Animation", "Sci-Fi", "Mystery", "Fantasy", "Children",
  "Romance", "Crime", "Adventure", "Thriller", "Action", "Comedy", "Drama", "IMAX"];
const ARTICLE = /^(.+?), (The|A|An|Le|La|Les|L'|Il|Der|Die|Das|El|Los|Las)( \(.*)?$/;

export const genreOf = ({ genres }) => DISTINCT.find((genre) => genres.includes(genre));
export const hue = (movie) => HUES[genreOf(movie)] ?? 250;

// "Godfather, The" is how a catalogue sorts, "The Godfather" how people read.
function turned({ title }) {
  const [, name, article, rest] = title.match(ARTICLE) ?? [];
  return name ? `${article}${article.endsWith("'") ? "" : " "}${name}${rest ?? ""}` : title;
}

// The title to show, and its alternative titles, which stand in parentheses.
export const titled = (movie) => movie.display_title ?? (turned(movie).replace(/( \([^()]*\))+$/, "") || movie.title);
export const alternatives = (movie) => (turned(movie).match(/( \([^()]*\))+$/)?.[0] ?? "").slice(2, -1)
  .split(") (").map((title) => turned({ title })).join(" · ");

// Lines break neither before a dot nor within a genre.
export const listed = (words) => words.join("\u00a0· ").replaceAll("-", "\u2011");
