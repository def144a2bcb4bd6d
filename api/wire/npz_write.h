/* A set of tensors as .npz, as numpy.savez and savez_compressed write it. */
#ifndef API_WIRE_NPZ_WRITE_H
#define API_WIRE_NPZ_WRITE_H

#include "api/wire/format.h"

#define API_NPZ_SUFFIX ".npy"

/* The members of the format's descriptor of these names. */
ERR_MUST_CHECK enum err_code api_npz_write(const struct api_wire_export *what,
                                           struct api_layout *out, struct err *err);
const char *api_npz_unfit(struct bytes name, const struct tensor_type *type);

#endif
