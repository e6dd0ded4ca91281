/* CLOCK, or second chance, as an eviction policy in C: entries lie in a circle, and a hand goes round. What was asked for since the
   hand last came by is spared once; the first entry that was not is the victim. */

#include "eviction_policy.h"

#include <stdlib.h>
#include <string.h>

typedef exports_media_cache_cache_eviction_description_t description_t;
typedef exports_media_cache_cache_eviction_entry_t entry_t;
typedef exports_media_cache_cache_eviction_list_entry_t entries_t;
typedef exports_media_cache_cache_eviction_event_t event_t;
typedef exports_media_cache_cache_eviction_list_event_t events_t;
typedef exports_media_cache_cache_eviction_list_entry_id_t ids_t;
typedef exports_media_cache_cache_eviction_placement_t placement_t;
typedef exports_media_cache_cache_eviction_own_policy_t own_policy_t;
typedef exports_media_cache_cache_eviction_policy_t clock_policy_t;
typedef eviction_policy_list_tuple2_string_string_t options_t;
typedef eviction_policy_string_t string_t;

enum { NOBODY = UINT32_MAX, MOST = 1 << 24 };

/* An entry, by its id. Ids are small and dense, so they are places in an array. */
typedef struct {
    uint64_t size;
    uint32_t previous, next;
    bool resides, used;
} place_t;

struct exports_media_cache_cache_eviction_policy_t {
    uint64_t capacity;
    place_t *places;
    uint32_t length;
    /* The entry that the hand is at. */
    uint32_t hand;
};

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static place_t *resident(const clock_policy_t *clock, uint64_t id) {
    return id < clock->length && clock->places[id].resides ? &clock->places[id] : NULL;
}

static void take_out(clock_policy_t *clock, uint64_t id) {
    place_t *place = resident(clock, id);
    if (!place) return;
    place->resides = false;
    clock->places[place->previous].next = place->next;
    clock->places[place->next].previous = place->previous;
    if (clock->hand == id) clock->hand = place->next == id ? NOBODY : place->next;
}

/* Puts an entry right behind the hand, where it is come by last. */
static void put_in(clock_policy_t *clock, const entry_t *entry) {
    if (entry->id >= MOST) return;
    take_out(clock, entry->id);
    uint32_t id = (uint32_t)entry->id;
    if (id >= clock->length) {
        uint32_t length = clock->length ? clock->length : 64;
        while (length <= id) length *= 2;
        clock->places = must(realloc(clock->places, length * sizeof(place_t)));
        for (uint32_t at = clock->length; at < length; at++) clock->places[at].resides = false;
        clock->length = length;
    }
    if (clock->hand == NOBODY) {
        clock->places[id] = (place_t){entry->size, id, id, true, false};
        clock->hand = id;
        return;
    }
    uint32_t next = clock->hand, previous = clock->places[next].previous;
    clock->places[id] = (place_t){entry->size, previous, next, true, false};
    clock->places[previous].next = clock->places[next].previous = id;
}

/* Lets the hand go round until enough is free. */
static void free_up(clock_policy_t *clock, uint64_t needed, ids_t *victims) {
    uint64_t freed = 0;
    size_t room = 0;
    *victims = (ids_t){NULL, 0};
    while (freed < needed && clock->hand != NOBODY) {
        place_t *place = &clock->places[clock->hand];
        if (place->used) {
            place->used = false;
            clock->hand = place->next;
            continue;
        }
        if (victims->len == room) {
            room = room ? 2 * room : 8;
            victims->ptr = must(realloc(victims->ptr, room * sizeof(uint64_t)));
        }
        victims->ptr[victims->len++] = clock->hand;
        freed += place->size;
        take_out(clock, clock->hand);
    }
}

static void hear(clock_policy_t *clock, events_t *events) {
    for (size_t at = 0; at < events->len; at++) {
        const event_t *event = &events->ptr[at];
        if (event->tag == EXPORTS_MEDIA_CACHE_CACHE_EVICTION_EVENT_REMOVED) {
            take_out(clock, event->val.removed);
            continue;
        }
        place_t *place = resident(clock, event->val.accessed.id);
        if (place) place->used = true;
    }
    exports_media_cache_cache_eviction_list_event_free(events);
}

void exports_media_cache_cache_eviction_describe(description_t *description) {
    eviction_policy_string_dup(&description->name, "clock");
    eviction_policy_string_dup(&description->version, "0.1.0");
    eviction_policy_string_dup(&description->doc, "CLOCK: in the order of arrival, but what was asked for is spared once.");
    description->options.ptr = NULL;
    description->options.len = 0;
}

static void complain(const string_t *option, string_t *error) {
    static const char before[] = "clock has no option \"", after[] = "\"; it has none";
    size_t front = sizeof(before) - 1, back = sizeof(after) - 1;
    error->len = front + option->len + back;
    error->ptr = must(malloc(error->len));
    memcpy(error->ptr, before, front);
    memcpy(error->ptr + front, option->ptr, option->len);
    memcpy(error->ptr + front + option->len, after, back);
}

bool exports_media_cache_cache_eviction_static_policy_create(
    uint64_t capacity, options_t *options, own_policy_t *policy, string_t *error) {
    bool understood = options->len == 0;
    if (!understood) complain(&options->ptr[0].f0, error);
    eviction_policy_list_tuple2_string_string_free(options);
    if (!understood) return false;
    clock_policy_t *clock = must(malloc(sizeof(clock_policy_t)));
    *clock = (clock_policy_t){capacity, NULL, 0, NOBODY};
    *policy = exports_media_cache_cache_eviction_policy_new(clock);
    return true;
}

void exports_media_cache_cache_eviction_policy_destructor(clock_policy_t *clock) {
    free(clock->places);
    free(clock);
}

void exports_media_cache_cache_eviction_method_policy_restore(clock_policy_t *clock, entries_t *entries) {
    for (size_t at = 0; at < entries->len; at++) put_in(clock, &entries->ptr[at]);
    exports_media_cache_cache_eviction_list_entry_free(entries);
}

void exports_media_cache_cache_eviction_method_policy_observe(clock_policy_t *clock, events_t *events) {
    hear(clock, events);
}

void exports_media_cache_cache_eviction_method_policy_place(
    clock_policy_t *clock, events_t *events, entry_t *candidate, uint64_t needed, placement_t *placement) {
    hear(clock, events);
    if (candidate->size > clock->capacity) {
        placement->tag = EXPORTS_MEDIA_CACHE_CACHE_EVICTION_PLACEMENT_REFUSE;
        return;
    }
    placement->tag = EXPORTS_MEDIA_CACHE_CACHE_EVICTION_PLACEMENT_ADMIT;
    free_up(clock, needed, &placement->val.admit);
    put_in(clock, candidate);
}

void exports_media_cache_cache_eviction_method_policy_evict(
    clock_policy_t *clock, events_t *events, uint64_t needed, ids_t *victims) {
    hear(clock, events);
    free_up(clock, needed, victims);
}
