/* An operation that was asked to run elsewhere than the variable it changes is. It follows the
 * variable, as it does in TensorFlow, and whoever asked is told. */
#ifndef SERVICE_DEVICE_CONFLICT_H
#define SERVICE_DEVICE_CONFLICT_H

#include "service/device/spec.h"
#include "service/name.h"

/* So many are told of one request, in one header, the rest is counted. An array of every report,
 * and what a header has room for: no setting. */
enum { DEVICE_CONFLICTS_MAX = 8 };

struct device_conflict {
    const char *operation;                  /* static */
    char name[NAME_BYTES_MAX + 1];          /* of the variable, or of what else it changes */
    char asked[DEVICE_TEXT_BYTES_MAX + 1];  /* canonical */
    char device[DEVICE_TEXT_BYTES_MAX + 1]; /* that it is on: canonical, or a device's name */
};

struct device_conflicts {
    struct device_conflict told[DEVICE_CONFLICTS_MAX];
    uint64_t count; /* those that are not told, too */
};

#endif
