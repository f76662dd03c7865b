// Field errors as apimachinery's field.Error prints them; validation collects them into one 422.

export interface Cause {
  reason: string
  message: string
  field: string
}

const show = (value: unknown) => (typeof value === 'string' ? JSON.stringify(value) : value === undefined ? 'null' : JSON.stringify(value))

/** Collects what is wrong, bounded so that a hostile body cannot make an endless answer. */
export class FieldErrors {
  readonly causes: Cause[] = []
  /** What is wrong, but was so before: told, not refused. */
  readonly warnings: string[] = []
  /** What the rules cost that were asked. */
  cost = 0
  #add(reason: string, field: string, message: string) {
    if (this.causes.length < 200) this.causes.push({ reason, message, field })
  }
  required(field: string, detail = '') {
    this.#add('FieldValueRequired', field, `Required value${detail ? `: ${detail}` : ''}`)
  }
  invalid(field: string, value: unknown, detail: string) {
    this.#add('FieldValueInvalid', field, `Invalid value: ${show(value)}: ${detail}`)
  }
  /** For values too large or too secret to print. */
  invalidType(field: string, detail: string) {
    this.#add('FieldValueInvalid', field, `Invalid value: ${detail}`)
  }
  notSupported(field: string, value: unknown, supported: readonly string[]) {
    this.#add(
      'FieldValueNotSupported',
      field,
      `Unsupported value: ${show(value)}: supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}`,
    )
  }
  duplicate(field: string, value: unknown) {
    this.#add('FieldValueDuplicate', field, `Duplicate value: ${show(value)}`)
  }
  notFound(field: string, value: unknown) {
    this.#add('FieldValueNotFound', field, `Not found: ${show(value)}`)
  }
  forbidden(field: string, detail: string) {
    this.#add('FieldValueForbidden', field, `Forbidden: ${detail}`)
  }
  tooLong(field: string, max: number) {
    this.#add('FieldValueTooLong', field, `Too long: may not be more than ${max} bytes`)
  }
  tooMany(field: string, count: number, max: number) {
    this.#add('FieldValueTooMany', field, `Too many: ${count}: must have at most ${max} items`)
  }
  /** Another collection, for alternatives whose faults are nobody's. */
  fresh(): FieldErrors {
    return new FieldErrors()
  }
  /** Adds each message of a format checker as an invalid value. */
  format(field: string, value: unknown, messages: string[]) {
    for (const m of messages) this.invalid(field, value, m)
  }
  get any(): boolean {
    return this.causes.length > 0
  }
}
