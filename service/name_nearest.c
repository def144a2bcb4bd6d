/* The name that was probably meant by one that is not known. */
#include "service/name.h"

enum { NEAREST_BYTES_MAX = 64 /* of either name; longer ones are near to nothing */ };

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, two neighbours swapped counting as one edit (optimal string alignment).
 * Row by row; the two rows above the current one are kept. */
static size_t
edits(struct bytes a, struct bytes b)
{
    size_t rows[3][NEAREST_BYTES_MAX + 1];

    for (size_t j = 0; j <= b.size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1,
                           above[j - 1] + (a.data[i - 1] != b.data[j - 1]));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.size % 3][b.size];
}

const char *
name_nearest(struct bytes name, name_known_at *known_at, const void *context)
{
    size_t fewest = name.size / 3 + 2; /* farther away it is another word */
    const char *nearest = NULL, *candidate;

    if (name.size == 0 || name.size > NEAREST_BYTES_MAX)
        return NULL;
    for (size_t i = 0; (candidate = known_at(context, i)) != NULL; i++) {
        struct bytes known = bytes_of_text(candidate);
        size_t distance = known.size > NEAREST_BYTES_MAX ? NEAREST_BYTES_MAX : edits(name, known);

        /* half of a short name changed is another name */
        if (distance < fewest && distance * 2 <= known.size) {
            fewest = distance;
            nearest = candidate;
        }
    }
    return nearest;
}
