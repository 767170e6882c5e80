// What went wrong, in words for people: the service's own texts are for programmers.

const CODES = {
  user_not_found: "This person is no longer there.",
  movie_not_found: "This movie is not in the catalogue.",
  rating_not_found: "This rating is no longer there.",
  mark_not_found: "This mark is no longer there.",
  generation_not_found: "This generation is no longer there.",
  file_invalid: "This file cannot be read.",
  genre_unknown: "There is no such genre.",
  year_range_empty: "The first year is after the last.",
  cursor_invalid: "The list has changed. Load the page again.",
  body_too_large: "This is too large: at most 10 MB.",
  token_missing: "This person has a token. Open their own link.",
  token_insufficient: "This belongs to another person.",
  experiment_running: "Another experiment is running.",
  generation_not_stored: "This generation is no longer kept.",
  generation_unusable: "This generation cannot be used here.",
  not_ready: "The service is not ready yet.",
  training_running: "A training run is in progress already.",
  admin_key_not_set: "The operator has not opened this to anyone: no admin key is set.",
  database_unavailable: "The database cannot be reached.",
};
const STATUSES = {
  0: "The service cannot be reached.",
  400: "The service did not accept this.",
  401: "This needs a key.",
  403: "Only an operator may do this.",
  404: "It is not there, or no longer.",
  409: "Something else got there first. Look again.",
  413: "This is too large.",
  429: "Too many requests at once.",
  500: "Something went wrong in the service. Its log has the details.",
  503: "The service is not ready yet.",
};

export const faultText = (status, body) => CODES[body.code] ?? STATUSES[status] ?? "Something went wrong.";
