# Links of the same objects at other addresses. Layout is the largest error left in a comparison of two builds
# (docs/explanation/layout.md), and it can be averaged out only where the same objects exist at several addresses.
set(pads 0 320 1152 2496 704 1856 3136 3904) # bytes, multiples of 64, no two alike modulo 4096
math(EXPR last_layout "${DUALMEM_LAYOUTS} - 1")
foreach(layout RANGE ${last_layout})
  math(EXPR pad_index "${layout} % 8")
  list(GET pads ${pad_index} pad)
  add_library(dm_pad_${layout} OBJECT layout/pad.c)
  target_compile_definitions(dm_pad_${layout} PRIVATE DM_PAD_BYTES=${pad})
endforeach()

# dm_add_links(TARGETS_OUT TARGET FILE FOLDER OBJECT... [LAST OBJECT...]): shared objects FOLDER/FILE.<layout>.so as targets
# TARGET_<layout>, each the given object libraries in one order behind one pad. Those after LAST end every order. The targets' names are
# left in TARGETS_OUT.
function(dm_add_links targets_out target file folder)
  cmake_parse_arguments(PARSE_ARGV 4 arg "" "" "LAST")
  set(objects ${arg_UNPARSED_ARGUMENTS})
  set(links)
  foreach(layout RANGE ${last_layout})
    set(order ${objects})
    if(layout GREATER 0) # layout 0 is the natural one; the others are shuffled by a hash, the same on every machine
      set(keyed)
      foreach(object IN LISTS objects)
        string(SHA256 key "${layout}/${object}")
        list(APPEND keyed "${key}|${object}")
      endforeach()
      list(SORT keyed)
      list(TRANSFORM keyed REPLACE "^[0-9a-f]+\\|" "" OUTPUT_VARIABLE order)
    endif()
    set(ordered $<TARGET_OBJECTS:dm_pad_${layout}>)
    foreach(object IN LISTS order arg_LAST)
      list(APPEND ordered $<TARGET_OBJECTS:${object}>)
    endforeach()
    add_library(${target}_${layout} SHARED ${ordered})
    set_target_properties(${target}_${layout} PROPERTIES
      OUTPUT_NAME ${file}.${layout} NO_SONAME ON LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${folder})
    target_link_options(${target}_${layout} PRIVATE ${DUALMEM_LINK_FLAGS})
    target_link_libraries(${target}_${layout} PRIVATE m Threads::Threads)
    list(APPEND links ${target}_${layout})
  endforeach()
  set(${targets_out} ${links} PARENT_SCOPE)
endfunction()
