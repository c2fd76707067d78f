/** Labelled inputs. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface InputProps {
  label: string;
  value: string;
  onText: (text: string) => void;
  type?: 'text' | 'password' | 'date' | 'datetime-local' | 'number' | 'search' | 'email';
  hint?: ComponentChildren;
  error?: string | undefined;
  /** The label is read out but not shown. */
  quiet?: boolean;
  suggestions?: string[] | undefined;
  name?: string;
  placeholder?: string;
  required?: boolean;
  disabled?: boolean;
  autocomplete?: string;
  maxLength?: number;
  min?: string | number;
  max?: string | number;
  step?: string | number;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function Input(props: InputProps) {
  const { label, hint, error, quiet = false, suggestions, onText, type = 'text', ...rest } = props;
  const id = useId();
  const told = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id} class={quiet ? 'hidden' : ''}>
        {label}
      </label>
      <input
        {...rest}
        type={type as 'text'}
        spellcheck={false}
        id={id}
        list={suggestions && `${id}-list`}
        aria-describedby={told || undefined}
        aria-invalid={error ? true : undefined}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      {suggestions && (
        <datalist id={`${id}-list`}>
          {suggestions.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      {hint && (
        <p id={`${id}-hint`} class="note">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} class="field-error">
          {error}
        </p>
      )}
    </div>
  );
}

interface TextAreaProps {
  label: string;
  value: string;
  onText: (text: string) => void;
  quiet?: boolean;
  rows?: number;
  placeholder?: string;
  hint?: ComponentChildren;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function TextArea({ label, quiet = false, hint, onText, ...rest }: TextAreaProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={quiet ? 'hidden' : ''}>
        {label}
      </label>
      <textarea
        {...rest}
        id={id}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      {hint && (
        <p id={`${id}-hint`} class="note">
          {hint}
        </p>
      )}
    </div>
  );
}

export interface Option {
  value: string;
  text: string;
  /** Options of one group stand together, under its name. */
  group?: string;
}

interface SelectProps {
  label: string;
  value: string;
  options: Option[];
  onChoose: (value: string) => void;
  quiet?: boolean;
}

export function Select({ label, value, options, onChoose, quiet = false }: SelectProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={quiet ? 'hidden' : ''}>
        {label}
      </label>
      <select id={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {grouped(options).map(([group, inside]) =>
          group ? (
            <optgroup key={group} label={group}>
              {inside.map(choice)}
            </optgroup>
          ) : (
            inside.map(choice)
          ),
        )}
      </select>
    </div>
  );
}

function choice({ value, text }: Option) {
  return (
    <option key={value} value={value}>
      {text}
    </option>
  );
}

function grouped(options: Option[]): [string, Option[]][] {
  const groups = new Map<string, Option[]>();
  for (const one of options) {
    const inside = groups.get(one.group ?? '');
    if (inside) inside.push(one);
    else groups.set(one.group ?? '', [one]);
  }
  return [...groups];
}

interface SegmentsProps {
  label: string;
  value: string;
  options: Option[];
  onChoose: (value: string) => void;
}

/** A few choices side by side; arrows move between them, as in any group of radio buttons. */
export function Segments({ label, value, options, onChoose }: SegmentsProps) {
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="hidden">{label}</legend>
      {options.map((one) => (
        <label key={one.value}>
          <input
            type="radio"
            name={name}
            value={one.value}
            checked={one.value === value}
            onChange={() => onChoose(one.value)}
          />
          <span>{one.text}</span>
        </label>
      ))}
    </fieldset>
  );
}
