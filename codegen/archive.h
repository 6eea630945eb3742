/* archive: objects in one file, as the linker reads them. */
#ifndef SNUG_ARCHIVE_H
#define SNUG_ARCHIVE_H

#include "ir/base/str.h"

/* Writes the objects in this order, without an index: for --whole-archive. */
void write_archive(const char *path, int count, const Text *object);

#endif
