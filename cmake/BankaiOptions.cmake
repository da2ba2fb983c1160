# The build options (docs/building.md lists them) and the settings that every target shares.
include(CMakeDependentOption)

option(BANKAI_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(BANKAI_WERROR "Treat warnings as errors" OFF)
option(BANKAI_NATIVE "Compile everything for this machine's processor" OFF)
set(BANKAI_ENABLE_MPI AUTO CACHE STRING "Build with MPI: ON, OFF or AUTO")
set_property(CACHE BANKAI_ENABLE_MPI PROPERTY STRINGS ON OFF AUTO)
set(BANKAI_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined or thread")

add_library(bankai_settings INTERFACE)
target_include_directories(bankai_settings INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
# Contraction would make the result depend on the compiler; the arithmetic is a specification here.
target_compile_options(bankai_settings INTERFACE
  -ffp-contract=off -fno-math-errno
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wdouble-promotion -Wimplicit-fallthrough -Wswitch
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # false alarms on string concatenation in GCC 12
  $<$<BOOL:${BANKAI_WERROR}>:-Werror>
  $<$<BOOL:${BANKAI_NATIVE}>:-march=native>)
if(BANKAI_SANITIZE)
  target_compile_options(bankai_settings INTERFACE
    -fsanitize=${BANKAI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(bankai_settings INTERFACE -fsanitize=${BANKAI_SANITIZE})
endif()

function(bankai_configure_library target)
  string(REPLACE "bankai_" "" short_name ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${short_name})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:bankai_settings>)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/bankai>)
  set_property(GLOBAL APPEND PROPERTY BANKAI_LIBRARIES ${target})
endfunction()
