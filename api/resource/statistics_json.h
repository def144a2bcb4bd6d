/* Statistics as JSON. */
#ifndef API_RESOURCE_STATISTICS_JSON_H
#define API_RESOURCE_STATISTICS_JSON_H

#include <jansson.h>

#include "service/watch/statistics.h"

/* Sets the fields of an object: count, finite, nan, pos_inf, neg_inf, zero, negative, positive,
 * min, max, mean, stddev, l1, l2, percentiles, exact; of complex numbers also "of": "magnitude".
 * What is said of the finite elements is null where there is none. */
ERR_MUST_CHECK enum err_code api_statistics_set(json_t *object, enum dtype dtype,
                                                const struct statistics *statistics,
                                                struct err *err);
/* The part of it that a snapshot of the history has, too: up to l2. */
ERR_MUST_CHECK enum err_code api_statistics_set_elements(json_t *object, enum dtype dtype,
                                                         const struct kernel_statistics *elements,
                                                         struct err *err);

#endif
