// Requests that fit the document and are refused all the same, because of what the store holds or of what their parts mean
// together. Each line says why no schema can tell.

export const refusals = [
];
