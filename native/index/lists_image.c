/* lists_image.c: the lists as bytes, and back. Arrays one after the other behind a header, whose last field is the
 * checksum of everything else. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/lists_parts.h"
#include "simd/crc32c.h"
#include "store/poison.h"

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t dim;
    uint32_t used;
    uint32_t list_count;
    uint32_t dims;
    uint32_t panel_count;
    double energy;
    double noise;
    uint64_t size; /* of the image, bytes */
    uint32_t zero;
    uint32_t checksum; /* CRC-32C of the image without these four bytes */
} header;

static const char MAGIC[8] = {'d', 'm', 'l', 'i', 's', 't', 's', '\n'};
enum { VERSION = 1, SECTIONS = 5 };

_Static_assert(sizeof(header) == 64 && offsetof(header, checksum) == 60, "no padding, the checksum last");

/* The arrays and their sizes, in the order of the image. */
typedef struct section {
    void *memory;
    size_t size;
} section;

static void list_sections(const dm_lists *lists, section *sections) {
    const size_t list_count = lists->list_count;
    sections[0] = (section){lists->begins, (list_count + 1) * sizeof(uint32_t)};
    sections[1] = (section){lists->members, lists->used * sizeof(uint32_t)};
    sections[2] = (section){lists->basis, lists->dims * dm_padded_dim(lists->rows.dim) * sizeof(float)};
    sections[3] = (section){lists->centres, dm_lists_panels_of(lists->list_count) * lists->panel_bytes};
    sections[4] = (section){lists->panels, lists->panel_begins[list_count] * lists->panel_bytes};
}

size_t dm_lists_image_size(const dm_lists *lists) {
    section sections[SECTIONS];
    size_t size = sizeof(header);
    list_sections(lists, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        size += sections[i].size;
    }
    return size;
}

static uint32_t checksum_of(const uint8_t *bytes, size_t size) {
    const dm_crc32c_variant *variant = dm_crc32c_best();
    dm_crc32c_tables tables;
    dm_crc32c_prepare(&tables);
    const uint32_t crc = variant->update(&tables, 0, bytes, offsetof(header, checksum));
    return variant->update(&tables, crc, bytes + sizeof(header), size - sizeof(header));
}

void dm_lists_write_image(const dm_lists *lists, void *bytes) {
    section sections[SECTIONS];
    header head = {
        .version = VERSION,
        .dim = lists->rows.dim,
        .used = lists->used,
        .list_count = lists->list_count,
        .dims = lists->dims,
        .panel_count = lists->panel_begins[lists->list_count],
        .energy = lists->energy,
        .noise = lists->noise,
        .size = dm_lists_image_size(lists),
    };
    uint8_t *to = (uint8_t *)bytes + sizeof(head);
    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    list_sections(lists, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        if (sections[i].size > 0) {
            memcpy(to, sections[i].memory, sections[i].size);
        }
        to += sections[i].size;
    }
    memcpy(bytes, &head, sizeof(head));
    head.checksum = checksum_of(bytes, head.size);
    memcpy(bytes, &head, sizeof(head));
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int32_t corrupt(char *error, size_t error_size, const char *what) {
    snprintf(error, error_size, "the image of the lists is damaged: %s; make it anew", what);
    return DM_ERROR_CORRUPT;
}

/* What the header says the image's size is; its numbers are in range. */
static size_t size_said(const header *head) {
    const uint32_t inner = head->dims != 0 ? head->dims : head->dim;
    const size_t panels = dm_lists_panels_of(head->list_count) + head->panel_count;
    return sizeof(*head) + ((size_t)head->list_count + 1 + head->used) * sizeof(uint32_t) +
           head->dims * dm_padded_dim(head->dim) * sizeof(float) + panels * dm_panel_bytes(inner);
}

static int32_t check_header(const header *head, const dm_rows *rows, const void *bytes, size_t size, char *error,
                            size_t error_size) {
    if (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0 || head->version != VERSION || head->size != size) {
        return corrupt(error, error_size, "its header is not of this version and size");
    }
    if (checksum_of(bytes, size) != head->checksum) {
        return corrupt(error, error_size, "its checksum is wrong");
    }
    if (head->dim != rows->dim || head->used > rows->count || head->used == 0) {
        return corrupt(error, error_size, "it is of rows of another dimension or number");
    }
    if (head->list_count == 0 || head->list_count > head->used || head->list_count > DM_LISTS_MOST ||
        head->dims >= head->dim || head->panel_count > head->used || !(head->energy >= 0.0 && head->energy <= 1.0) ||
        !(head->noise >= 0.0 && head->noise <= 2.0) || size_said(head) != size) {
        return corrupt(error, error_size, "a number in its header is out of range");
    }
    return DM_OK;
}

static int are_scales_sound(const dm_lists *lists, const uint8_t *panels, size_t count) {
    for (size_t p = 0; p < count; p++) {
        float scales[DM_PANEL_ROWS];
        memcpy(scales, panels + (p + 1) * lists->panel_bytes - DM_PANEL_LINE, sizeof(scales));
        for (size_t r = 0; r < DM_PANEL_ROWS; r++) {
            if (!(scales[r] >= 0.0f && scales[r] <= 1.0f)) {
                return 0;
            }
        }
    }
    return 1;
}

/* The lists divide the rows in use among them: each is in one. `met`: a zero for each row. */
static int are_members_sound(const dm_lists *lists, uint8_t *met) {
    if (lists->begins[0] != 0 || lists->begins[lists->list_count] != lists->used) {
        return 0;
    }
    for (uint32_t list = 0; list < lists->list_count; list++) {
        if (lists->begins[list] > lists->begins[list + 1]) {
            return 0;
        }
    }
    for (uint32_t place = 0; place < lists->used; place++) {
        const uint32_t row = lists->members[place];
        if (row >= lists->rows.count || lists->rows.slots[row] == DM_SLOT_NONE || met[row]) {
            return 0;
        }
        met[row] = 1;
    }
    for (uint32_t row = 0; row < lists->rows.count; row++) {
        if (!met[row] && lists->rows.slots[row] != DM_SLOT_NONE) {
            return 0;
        }
    }
    return 1;
}

static int is_basis_sound(const dm_lists *lists) {
    const size_t padded = dm_padded_dim(lists->rows.dim);
    for (size_t i = 0; i < lists->dims * padded; i++) {
        if (!(fabsf(lists->basis[i]) <= 1.0001f) || (i % padded >= lists->rows.dim && lists->basis[i] != 0.0f)) {
            return 0;
        }
    }
    return 1;
}

/* Reads what lies behind the header, whose numbers are in range. DM_ERROR_CORRUPT and DM_ERROR_MEMORY without a
 * sentence. */
static int32_t take_sections(dm_lists *lists, const header *head, const uint8_t *from, size_t placement,
                             dm_memory *account) {
    section sections[SECTIONS];
    const size_t basis_bytes = head->dims * dm_padded_dim(head->dim) * sizeof(float);
    lists->used = head->used;
    lists->energy = head->energy;
    lists->noise = head->noise;
    lists->basis = basis_bytes > 0 ? dm_memory_allocate(account, basis_bytes, DM_CACHE_LINE, 0) : NULL;
    if (!dm_lists_allocate(lists, head->list_count, head->dims, account) || (basis_bytes > 0 && lists->basis == NULL)) {
        return DM_ERROR_MEMORY;
    }
    const size_t begins_bytes = ((size_t)head->list_count + 1) * sizeof(uint32_t);
    memcpy(lists->begins, from, begins_bytes);
    memcpy(lists->members, from + begins_bytes, lists->used * sizeof(uint32_t));
    uint8_t *met = dm_memory_allocate(account, lists->rows.count, DM_CACHE_LINE, 0);
    const int are_sound = met != NULL && are_members_sound(lists, met);
    dm_memory_free(account, met);
    if (!are_sound || !dm_lists_allocate_panels(lists, placement, account)) {
        return met == NULL || are_sound ? DM_ERROR_MEMORY : DM_ERROR_CORRUPT;
    }
    if (lists->panel_begins[lists->list_count] != head->panel_count) {
        return DM_ERROR_CORRUPT;
    }
    list_sections(lists, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        if (sections[i].size > 0) {
            memcpy(sections[i].memory, from, sections[i].size);
        }
        from += sections[i].size;
    }
    if (!is_basis_sound(lists)) {
        return DM_ERROR_CORRUPT;
    }
    dm_lists_take_directions(lists);
    const int is_sound = are_scales_sound(lists, lists->centres, dm_lists_panels_of(lists->list_count)) &&
                         are_scales_sound(lists, lists->panels, head->panel_count);
    return is_sound ? DM_OK : DM_ERROR_CORRUPT;
}

int32_t dm_lists_from_image(const dm_rows *rows, const void *bytes, size_t size, dm_isa isa, size_t placement,
                            dm_memory *account, dm_lists **lists, char *error, size_t error_size) {
    header head;
    *lists = NULL;
    if (size < sizeof(head)) {
        return corrupt(error, error_size, "it is shorter than its header");
    }
    memcpy(&head, bytes, sizeof(head));
    int32_t status = check_header(&head, rows, bytes, size, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_lists *made = dm_lists_begin(rows, isa, account);
    status = made == NULL ? DM_ERROR_MEMORY
                          : take_sections(made, &head, (const uint8_t *)bytes + sizeof(head), placement, account);
    if (status == DM_OK) {
        *lists = made;
        return DM_OK;
    }
    dm_lists_destroy(made, account);
    if (status == DM_ERROR_CORRUPT) {
        return corrupt(error, error_size, "a row, list, scale or direction is out of range");
    }
    snprintf(error, error_size, "no memory for lists of %u rows; use fewer rows", head.used);
    return status;
}
