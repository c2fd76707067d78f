/** A card's way to the page that tells more. */
import { href } from '../../lib/router';

interface SeeProps {
  to: string;
  text: string;
  /** What is read out after the text, where it alone would not say where it leads. */
  of?: string;
}

export function See({ to, text, of }: SeeProps) {
  return (
    <a class="button quiet small" href={href(to)}>
      {text}
      {of && <span class="hidden"> {of}</span>}
    </a>
  );
}
