/* whole_file.c: see whole_file.h. */
#include "store/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/poison.h"

/* A name is tried until nobody else has it, so two savers never share one. -1: see errno. */
static int open_temporary(const char *path, char name[PATH_MAX]) {
    enum { TRIES = 1000 };
    for (unsigned number = 0; number < TRIES; number++) {
        int length = snprintf(name, PATH_MAX, "%s.%ld.%u.tmp", path, (long)getpid(), number);
        if (length < 0 || length >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST) {
            return descriptor;
        }
    }
    errno = EEXIST;
    return -1;
}

void dm_whole_file_open(dm_whole_file *file, const char *path) {
    file->failure = 0;
    file->descriptor = open_temporary(path, file->name);
    if (file->descriptor < 0) {
        file->failure = errno;
    }
}

void dm_whole_file_write(dm_whole_file *file, const void *bytes, size_t size, uint64_t offset) {
    const unsigned char *at = bytes;
    while (size > 0 && file->failure == 0) {
        ssize_t written = pwrite(file->descriptor, at, size, (off_t)offset);
        if (written > 0) {
            at += written;
            size -= (size_t)written;
            offset += (uint64_t)written;
        } else if (written == 0 || errno != EINTR) {
            file->failure = written == 0 ? ENOSPC : errno;
        }
    }
}

void dm_whole_file_set_size(dm_whole_file *file, uint64_t size) {
    if (file->failure == 0 && ftruncate(file->descriptor, (off_t)size) != 0) {
        file->failure = errno;
    }
}

/* The name in the folder, too, is to survive a power cut. Not every file system can promise it, and the new file is in
 * its place already: so no failure. */
static void flush_folder(char name[PATH_MAX]) {
    char *slash = strrchr(name, '/');
    if (slash == NULL) {
        name[0] = '.';
        name[1] = '\0';
    } else {
        slash[slash == name ? 1 : 0] = '\0';
    }
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)fsync(folder);
        (void)close(folder);
    }
}

int dm_whole_file_close(dm_whole_file *file, const char *path) {
    if (file->descriptor < 0) {
        return file->failure;
    }
    if (file->failure == 0 && fsync(file->descriptor) != 0) {
        file->failure = errno;
    }
    if (close(file->descriptor) != 0 && file->failure == 0) {
        file->failure = errno;
    }
    if (file->failure == 0 && rename(file->name, path) != 0) {
        file->failure = errno;
    }
    if (file->failure == 0) {
        flush_folder(file->name);
    } else {
        (void)unlink(file->name);
    }
    return file->failure;
}
