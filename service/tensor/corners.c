#include "service/tensor/corners.h"

struct tensor_corners
tensor_corners_of(const struct shape *shape, uint64_t count_max, uint64_t edge)
{
    struct tensor_corners corners = {.whole = *shape, .kept = *shape, .edge = edge};

    if (shape_count(shape) <= count_max)
        return corners;
    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] > 2 * edge)
            corners.kept.dims[i] = 2 * edge;
    return corners;
}

bool
tensor_corners_cut(const struct tensor_corners *corners, uint32_t axis)
{
    return corners->kept.dims[axis] != corners->whole.dims[axis];
}

/* Where the element at `at`, of what is kept, lies in the whole. */
static uint64_t
place_in_whole(const struct tensor_corners *corners, const uint64_t *at)
{
    uint64_t place = 0;

    for (uint32_t i = 0; i < corners->whole.rank; i++) {
        uint64_t index = at[i];

        if (tensor_corners_cut(corners, i) && index >= corners->edge)
            index += corners->whole.dims[i] - corners->kept.dims[i];
        place = place * corners->whole.dims[i] + index;
    }
    return place;
}

/* Moves on by `step` elements of the last dimension kept, which do not go past its end. */
static void
move_on(const struct tensor_corners *corners, uint64_t *at, uint64_t step)
{
    uint32_t axis = corners->kept.rank - 1;

    at[axis] += step;
    while (axis > 0 && at[axis] == corners->kept.dims[axis]) {
        at[axis--] = 0;
        at[axis]++;
    }
}

enum err_code
tensor_corners_each_run(const struct tensor_corners *corners, slice_run *run, void *context,
                        struct err *err)
{
    uint64_t at[SHAPE_RANK_MAX] = {0}, count = shape_count(&corners->kept), length;
    uint32_t last = corners->kept.rank - 1;
    bool cut = false;

    for (uint32_t i = 0; i < corners->whole.rank; i++)
        cut = cut || tensor_corners_cut(corners, i);
    if (!cut)
        return count > 0 ? run(context, 0, 0, count, err) : OK;
    length = tensor_corners_cut(corners, last) ? corners->edge : corners->kept.dims[last];
    for (uint64_t done = 0; done < count; done += length) {
        TRY(run(context, place_in_whole(corners, at), done, length, err));
        move_on(corners, at, length);
    }
    return OK;
}
