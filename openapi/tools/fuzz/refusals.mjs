// Requests that fit the document and are refused all the same, because of what the store holds or of what their parts mean
// together: no schema can tell. A refusal that is not among these means that document and server disagree.

export const refusals = [
  // Types and shapes: of the variable, or of what an expression comes to.
  {
    says: /(dtype \w+ expected|shape \[.*\] expected|has shape|takes \d+$|the value (has|is)|indices must be|no implicit casts|cannot be converted|is not a scalar)/,
  },
  {
    says: /(float16|bfloat16|float32|float64|int8|int16|int32|int64|uint8|uint16|uint32|uint64|bool|complex64|complex128|string|q\w+|float8_\w+) expected, got|: expected \w+, got /,
  },
  {
    says: /(int32 or int64 expected|must be half, float, or double|does not take|are not compatible|cannot be broadcast|must be of the same|has no arithmetic)/,
  },
  {
    says: /(more than the rank|at least 1-D|at least \d+ dimensional|must have rank at least|Must have updates\.shape|dimensions of [\w.]+=\[.*\] must match|currently supported|out of bounds|is not in \[|more entries than|stands twice|changes no shape|only assign may change)/,
  },
  // Device specifications are texts of a language of their own; which devices there are, the server alone knows.
  {
    says: /Unknown attribute: '|Cannot specify multiple device types|invalid literal for int\(\)|Malformed device specification|is not the name of a (device|job)|a device string has at most|of a device is a|there are two devices|is not the type of an op|in the cluster twice|fully defined|Cannot (assign a device to node|merge devices with incompatible)/,
  },
  // A NUL in a query, which no schema of a text forbids.
  { says: /the query string holds a NUL/ },
  // The text of a slice is read by the tensor's rank.
  { says: /^(query argument|field) 'slice'|^slice:/ },
  // What an op says of what its arguments come to; and of args, which it alone can tell apart.
  { says: /(^|': )[a-z0-9_]+: (?!unknown)/ },
  // A tensor and a variable of one name.
  { operations: /applyMovingAverages/, says: /is averaged as a variable, not as a tensor/ },
  // Tensors beside the JSON, and parts of an expression by their ids, are there or are not.
  { says: /means a tensor that came beside the JSON|no expression with the id/ },
  // Numbers of TensorFlow's own limits.
  { operations: /countUpTo|runModel/, says: /Reached limit of/ },
  { says: /has more elements than the limit|overflows \w+$|is outside \w+$|does not fit \w+$|: ragged: / },
  {
    operations: /CheckpointFiles/,
    says: /a component of \d+ bytes|no name of the files ends|the bytes are of no format|none of the files is/,
  },
  { says: /(the variable name '.*' has|page token of) \d+ bytes/s },
  // What the stored optimizer, accumulator or set of averages is of.
  { operations: /patchOptimizer/, says: /^unknown field/ },
  { operations: /Optimizer/, says: /are one attribute: give one/ },
  { operations: /runModel/, says: /a run does one thing with an? / },
  { operations: /applyGradToAccumulator|runModel/, says: /is (dense|sparse), the gradient is|Shape mismatch/ },
  { operations: /createSlots|applyGradients|runModel/, says: /does not train|is not trainable/ },
  { operations: /AverageSlots|MovingAverages|runModel/, says: /Moving average already computed|No variables to average/ },
  { operations: /applyGradients|runModel/, says: /No gradients provided for any variable|do not have the same shape/ },
  { says: /must be (one number|an integer scalar|a scalar of half|a number, or a variable)/ },
  // One field instead of another, by the meaning of both.
  {
    operations: /createVariables|runModel/,
    says: /(partitioned [Vv]ariable|the variable is declared|Cannot create \d+ slices|virtual|initial_value must be specified)/,
  },
  { says: /give '\w+' or '\w+', not both|names one tensor and '\w+' several|compression=deflate is for npz/ },
  { operations: /inspectCheckpoint/, says: /is for format=|do not go together/ },
  { operations: /applyGradients/, says: /goes with a body of tensors alone/ },
  { operations: /save|run/i, says: /No variables to save/ },
  { operations: /Average|runModel/, says: /No variables to average|the decay must be a scalar/ },
  // What the files of the server are.
  {
    operations: /CheckpointFiles/,
    says: /are of no format that is known|is no directory|of the files|the component '.*' is not allowed/,
  },
  { operations: /getHistograms/, says: /is to be less than/ },
  { operations: /[rR]estore/, says: /will be restored with two names/ },
  { operations: /Saver/, says: /is named twice/ },
  { operations: /Changes/, says: /lists events such as variable\.changed, not none$/ },
  { operations: /CheckpointFiles/, says: /it begins with '\/'|is not allowed$|this is no npy file/ },
  { operations: /patchOptimizer/, says: /takes no global_step/ },
  { operations: /listVariables|initializeModel|runModel/, says: /a (device|collection) of \d+ bytes/ },
  // Attributes stand in args, too, where any value may.
  { says: /must be a list of integers, it is/ },
  // null stands for an attribute that is not given; what is no attribute, the op knows.
  { says: /None values not supported/ },
  // Keys of earlier requests.
  { says: /Idempotency-Key .* (was used|another request)/i },
];
