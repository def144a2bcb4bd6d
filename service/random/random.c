/* Which draws exist, and how a range of elements is cut into groups.
 *
 * Elements belong to groups that start at multiples of the group size; each group has its own
 * blocks of the stream. A range is a piece of a group, whole groups, and a piece again. */
#include "service/random/random.h"

#include "service/random/parts.h"
#include "store/base/check.h"

bool
random_kind_known(enum random_kind kind, enum dtype dtype)
{
    if (dtype_is_float(dtype))
        return kind == RANDOM_UNIFORM || kind == RANDOM_NORMAL || kind == RANDOM_TRUNCATED_NORMAL;
    return kind == RANDOM_UNIFORM && (dtype == DTYPE_INT32 || dtype == DTYPE_INT64);
}

uint32_t
random_group_size(enum dtype dtype)
{
    return dtype_size(dtype) == 8 ? 2 : 4;
}

static void
check_stream(const struct random_stream *stream)
{
    CHECK(random_kind_known(stream->kind, stream->dtype));
    CHECK((unsigned)stream->profile < RANDOM_PROFILE_COUNT);
    CHECK(dtype_is_float(stream->dtype) || stream->low < stream->high);
    CHECK(stream->dtype != DTYPE_INT32 || (stream->low >= INT32_MIN && stream->high <= INT32_MAX));
}

/* Elements [first, first + count), all within one group. */
static void
fill_part(const struct random_stream *stream, uint64_t first, uint64_t count, uint8_t *out)
{
    const uint32_t size = dtype_size(stream->dtype), group_size = random_group_size(stream->dtype);
    uint8_t group[RANDOM_GROUP_BYTES_MAX];

    random_group_plain(stream, first / group_size, group);
    memcpy(out, group + first % group_size * size, count * size);
}

void
random_fill_plain(const struct random_stream *stream, uint64_t first, uint64_t count, void *out)
{
    const uint32_t size = dtype_size(stream->dtype), group_size = random_group_size(stream->dtype);
    uint8_t *target = out;

    check_stream(stream);
    for (uint64_t n = 0; count > 0; first += n, count -= n, target += n * size) {
        n = group_size - first % group_size;
        n = n < count ? n : count;
        fill_part(stream, first, n, target);
    }
}

void
random_fill(const struct random_stream *stream, uint64_t first, uint64_t count, void *out)
{
    const uint32_t size = dtype_size(stream->dtype), group_size = random_group_size(stream->dtype);
    uint64_t head = (group_size - first % group_size) % group_size, whole;
    uint8_t *target = out;

    check_stream(stream);
    head = head < count ? head : count;
    if (head > 0)
        fill_part(stream, first, head, target);
    first += head;
    count -= head;
    target += head * size;
    whole = count / group_size * group_size;
    if (random_vector_available())
        random_fill_vector(stream, first / group_size, whole / group_size, target);
    else
        random_fill_plain(stream, first, whole, target);
    if (count > whole)
        fill_part(stream, first + whole, count - whole, target + whole * size);
}

void
random_fill_words(const struct random_stream *stream, uint64_t first, uint64_t count, uint32_t *out)
{
    struct random_words words = random_words_from(stream, first / 4);

    for (uint64_t i = 0; i < first % 4; i++)
        (void)random_next_word(&words);
    for (uint64_t i = 0; i < count; i++)
        out[i] = random_next_word(&words);
}
