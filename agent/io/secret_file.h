/* A small file whose content is nobody else's business: keys, tokens. */
#ifndef AGENT_IO_SECRET_FILE_H
#define AGENT_IO_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/core/error.h"

/* Reads the whole file, which has at most bytes_max bytes and no zero among them; *ret_text has
 * room for one more, for the final zero. `secret`: refuses one that others than its owner and group
 * may read. err names the file. What has been read is also there on failure: wipe it in any case.
 */
int secret_file_read(const char *path, bool secret, char *ret_text, size_t bytes_max,
                     struct error *err);

#endif
