# The host: what measures. One set of sources, built as the worker executable and as the cffi module.
set(host_flags -fno-semantic-interposition)
add_library(dmx_host STATIC
  host/open.c host/matrix.c host/arm.c host/clock.c host/histogram.c host/latency.c host/execute.c
  host/request.c host/answer.c host/pages.c)
target_compile_options(dmx_host PRIVATE ${host_flags})
target_link_libraries(dmx_host PUBLIC ${CMAKE_DL_LIBS} m)

add_executable(dualmem_worker
  host/worker.c host/stage.c host/check.c host/tasks.c host/load.c host/guard.c host/report.c)
set_target_properties(dualmem_worker PROPERTIES OUTPUT_NAME dualmem-worker)
target_link_libraries(dualmem_worker PRIVATE dmx_host)

if(DUALMEM_PYTHON)
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
  set(host_c ${CMAKE_CURRENT_BINARY_DIR}/generated/_host.c)
  set(host_headers ${CMAKE_CURRENT_SOURCE_DIR}/include/dualmem/dm_kernel.h ${CMAKE_CURRENT_SOURCE_DIR}/host/host.h)
  add_custom_command(OUTPUT ${host_c}
    COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/host/make_cffi.py ${host_c} ${host_headers}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/host/make_cffi.py ${host_headers} VERBATIM)
  python_add_library(dmx_cffi MODULE ${host_c})
  # The stable ABI: cffi's generated code restricts itself to it, so one binary serves every Python from 3.11 on.
  set_target_properties(dmx_cffi PROPERTIES OUTPUT_NAME _host SUFFIX .abi3.so)
  target_compile_definitions(dmx_cffi PRIVATE Py_LIMITED_API=0x030b0000)
  target_include_directories(dmx_cffi PRIVATE host)
  # Generated code is not ours to warn about.
  target_compile_options(dmx_cffi PRIVATE -w)
  target_link_libraries(dmx_cffi PRIVATE dmx_host)
endif()

if(SKBUILD)
  install(TARGETS dualmem_worker RUNTIME DESTINATION dualmem_cli/_native)
  install(TARGETS dmx_cffi LIBRARY DESTINATION dualmem_cli/_native)
endif()
